"""The version of gnet: the one place, read by ``setup.py`` without importing the package."""

__all__ = ['__version__']

__version__ = '0.2.0'
