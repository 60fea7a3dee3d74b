"""A checkpoint as ONNX, OpenVINO or int8 OpenVINO, compared with the original."""
