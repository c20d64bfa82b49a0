"""Runtimes: exporting networks to ONNX, OpenVINO and torch.export, and enhancing with any of them."""
