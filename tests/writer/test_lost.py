"""What counts as a loss: only a partition that begins after the offset to be read next."""

from engine.settings import Settings
from engine.writer.lost import Loss, losses, made_anew


def test_only_a_beginning_after_the_next_offset_is_a_loss() -> None:
    following = {0: 10, 1: 10, 2: 10, 3: 10}
    assert losses(following, {0: 0, 1: 10, 2: 11, 3: 25}, {0: 30, 1: 30, 2: 30, 3: 25}) == [Loss(2, 10, 10), Loss(3, 10, 24)]


def test_nothing_is_lost_of_what_was_never_planned() -> None:
    assert losses({}, {0: 500}, {0: 600}) == []


def test_a_partition_that_came_later_is_read_from_its_first_offset() -> None:
    assert losses({0: 5}, {0: 0, 1: 3}, {0: 9, 1: 9}) == [Loss(1, 0, 2)]
    assert losses({0: 5}, {0: 0, 1: 0}, {0: 9, 1: 9}) == []


def test_a_topic_made_anew_is_a_loss_without_an_end() -> None:
    found = losses({0: 50, 1: 7}, {0: 0}, {0: 3})
    assert found == [Loss(0, 50, None), Loss(1, 7, None)]
    assert [str(loss) for loss in found] == [
        "partition 0 from offset 50 on (the topic was made anew)", "partition 1 from offset 7 on (the topic was made anew)"]
    assert str(Loss(2, 10, 24)) == "partition 2 offsets 10 to 24"


def test_a_topic_made_anew_is_not_passed_over() -> None:
    settings = Settings()
    assert made_anew(settings, losses({0: 5}, {0: 7}, {0: 9})) is None
    error = made_anew(settings, losses({0: 50}, {0: 0}, {0: 3}))
    assert error is not None
    assert "partition 0 from offset 50 on" in str(error)
    assert "ROLLCALL_KAFKA__TOPIC" in str(error)
