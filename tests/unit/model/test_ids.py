from router.model.ids import by_cost


def test_sites_are_listed_by_cost_then_name_and_those_without_a_way_come_last() -> None:
    costs = {"west": 5, "east": 5, "north": 2, "here": 0, "gone": None}
    names = ["unknown", "west", "gone", "east", "north", "here"]
    assert by_cost(names, costs) == ["here", "north", "east", "west", "gone", "unknown"]
