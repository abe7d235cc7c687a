from router.balance.site.max_counter import MaxCounter


def test_the_largest_count_is_known_as_it_grows_and_shrinks() -> None:
    counts: MaxCounter[str] = MaxCounter()
    assert counts.count == 0
    for name in ("a", "a", "b"):
        counts.add(name)
    assert (counts.name, counts.count) == ("a", 2)
    counts.remove("a")
    assert (counts.name, counts.count) == ("a", 1)
    counts.remove("a")
    assert (counts.name, counts.count) == ("b", 1)
    counts.remove("b")
    assert counts.count == 0


def test_of_equals_the_last_that_became_so_is_named() -> None:
    counts: MaxCounter[str] = MaxCounter()
    for name in ("a", "b"):
        counts.add(name)
    assert counts.name == "b"
