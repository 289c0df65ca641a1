"""How many hits of one address are recorded in a minute; redirecting is never refused."""

from aftersend.platform.clock import Clock

__all__ = ["Budget"]


class Budget:
    """Admits the first `hits_max` hits of each address in a minute; 0 admits all."""

    def __init__(self, hits_max: int, clock: Clock) -> None:
        """Begin with nobody known."""
        self._hits_max, self._clock = hits_max, clock

    def admits(self, address: str) -> bool:
        """Tell whether a hit of `address` is recorded, and count it."""
        raise NotImplementedError
