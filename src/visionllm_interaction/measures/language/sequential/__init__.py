"""The measures of :mod:`visionllm_interaction.measures.sequential` as functions of the language."""
