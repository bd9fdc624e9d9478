"""Accuracy of analyzers on labelled images."""
