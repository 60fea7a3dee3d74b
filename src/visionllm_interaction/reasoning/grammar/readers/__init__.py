"""Readers of one kind of question each: amounts, choices, comparisons, shares, and times between moments.

Every ``read_…`` takes the question on its way through the readers, a
:class:`~visionllm_interaction.reasoning.grammar.request.QuestionRequest`, and gives what is asked. It raises
:class:`~visionllm_interaction.reasoning.grammar.clauses.NotUnderstood` if the words are known but do not make a
question of its kind. One that may also give None leaves the question to the next reader.
"""
