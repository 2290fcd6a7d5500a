"""What a command shows is what stands there: no text of anybody is taken for markup or for the name of a picture."""

import pytest

from engine.cli.output import complain, show, tell

ODD = "purpose: ':smile: and :warning:' [bold]x[/bold] [link=https://x.example]y[/link]"


def test_texts_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show(ODD)
    tell(ODD)
    complain(ODD)
    shown = capsys.readouterr()
    assert shown.out == f"{ODD}\n"
    assert shown.err == f"{ODD}\n" * 2
