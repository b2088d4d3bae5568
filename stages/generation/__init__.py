"""Engines that write: vLLM, a server, transformers, on one device or many; programs run while text is written. No scripts."""
