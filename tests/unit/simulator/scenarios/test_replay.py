"""Logs as load: formats, disorder, holes, garbage."""

from simulator.scenarios.replay import read_log


def test_an_access_log_of_whole_seconds_is_spread_over_each_second() -> None:
    line = '198.51.100.7 - - [19/Nov/2026:09:00:{} +0000] "GET / HTTP/1.1" 200 512'
    text = "\n".join(line.format(second) for second in ("00", "00", "01"))
    assert read_log(text, 60.0) == ((0.0, 0.5, 1.0), "", 0, "")


def test_csv_with_a_header_and_iso_instants() -> None:
    text = "when,path\n2026-11-19T09:00:00.500Z,/\n2026-11-19T09:00:02.250Z,/cart\n"
    assert read_log(text, 60.0)[0] == (0.0, 1.75)


def test_disorder_is_sorted_and_told_and_holes_are_told_and_stay() -> None:
    found, wrong, _, note = read_log("# a log\n10.5\n9.5\n\n200.5\n", 60.0)
    assert (found, wrong) == ((0.0, 1.0, 191.0), "")
    assert note == (
        "1 lines were out of order and are sorted; 1 holes of more than 60 s, the longest 190 s"
    )


def test_garbage_is_named_by_its_line() -> None:
    assert read_log("1.5\n2.5\nrubbish\n", 60.0)[1:3] == ("no instant in 'rubbish'", 3)
    assert read_log("[19/Nov/2026:99:00:00 +0000]\nx\n", 60.0)[2] == 2
    assert read_log("", 60.0)[1] == "no instants in it"
