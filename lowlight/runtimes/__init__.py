"""Runtimes: networks exported to ONNX, OpenVINO and torch.export, and enhancers over all of them."""
