"""Tests of what is Node's: values, validators, texts."""
