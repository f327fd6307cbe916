"""What is due when, against a plain list."""

from hypothesis import given
from hypothesis import strategies as st

from classwaves.deadlines import TICK, Deadlines

KEYS = st.sampled_from("abcd")
MOMENTS = st.floats(0, 20)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), KEYS, MOMENTS), st.tuples(st.just("cancel"), KEYS), st.tuples(st.just("due"), MOMENTS)
    ),
    max_size=30,
)


@given(STEPS)
def test_each_is_told_once_neither_early_nor_late(steps: list[tuple[object, ...]]) -> None:
    deadlines, expected, now = Deadlines(0.0), dict[str, float](), 0.0
    for step in steps:
        match step:
            case ("set", str(key), float(moment)):
                deadlines.set(key, moment)
                expected[key] = max(moment, now)
            case ("cancel", str(key)):
                deadlines.cancel(key)
                expected.pop(key, None)
            case ("due", float(moment)):  # clocks may also go back
                told = deadlines.due(moment)
                now = max(now, moment)
                assert all(expected[key] <= now for key in told)
                for key in told:
                    del expected[key]
                if moment == now:
                    assert all(moment < until + 2 * TICK for until in expected.values())
        assert len(deadlines) == len(expected)
    assert len(deadlines.due(1e9)) == len(expected)
    assert not deadlines._slots
