"""The thin kernel: what two or more rooms share. It knows no room, `vigie.cli` excepted, which wires them."""

__version__ = "0.1.0"
