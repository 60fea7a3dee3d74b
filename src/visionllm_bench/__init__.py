"""What the product is measured with: a simulated play room, the demo, and a benchmark of questions.

The product never imports it; its commands join `visionllm` through the entry points `visionllm.commands`.
"""
