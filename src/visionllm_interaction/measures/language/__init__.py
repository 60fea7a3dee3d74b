"""The language of quantities: grammar, types, functions, evaluation."""
