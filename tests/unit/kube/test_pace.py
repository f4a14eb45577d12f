"""Turns are taken only while the server is in trouble."""

from reactor_operator.kube.pace import Pace


class TestPace:
    def setup_method(self) -> None:
        self.now = 100.0
        self.pace = Pace(10.0, lambda: self.now)

    def waits(self, times: int, patience: float = 10.0) -> list[float | None]:
        found = [self.pace.take_turn(patience) for _ in range(times)]
        return [None if wait is None else round(wait, 3) for wait in found]

    def test_while_all_is_well_nobody_waits(self) -> None:
        assert self.waits(3) == [0.0, 0.0, 0.0]

    def test_in_trouble_each_waits_for_its_turn(self) -> None:
        self.pace.failed()
        assert self.waits(3) == [0.0, 0.1, 0.2]
        self.now += 0.25
        assert self.waits(2) == [0.05, 0.15]
        self.now += 60
        assert self.waits(2) == [0.0, 0.1]

    def test_who_would_wait_too_long_takes_no_turn(self) -> None:
        self.pace.failed()
        assert self.waits(4, patience=0.1) == [0.0, 0.1, None, None]
        self.now += 0.1
        assert self.waits(1, patience=0.1) == [0.1]

    def test_one_answer_ends_the_trouble(self) -> None:
        self.pace.failed()
        self.waits(5)
        self.pace.answered()
        assert self.waits(2) == [0.0, 0.0]
