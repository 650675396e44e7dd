"""Darknet-19 and YOLOv2, from darknet's own files."""
