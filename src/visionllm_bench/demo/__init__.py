"""`visionllm demo`: every stage once, on simulated data, small but real; ends with an HTML report."""

from visionllm_bench.demo.run import run_demo

__all__ = ["run_demo"]
