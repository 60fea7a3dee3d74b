"""The truth of ToyRoom videos: what happens in them, quantities of it, and how an answer may read a question.

Nothing here uses the product's measures or its language: it is what they are judged by. The tests of
reasoning have a truth of their own (`tests/reasoning/toyroom_truth.py`), so that one mistake is not made twice.
"""
