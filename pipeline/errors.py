"""The one exception that users see, and how it quotes others."""


class InputError(Exception):
    """Something that the user gave, or the machine lacks, stops the work.

    The message is one plain sentence that names the thing at fault and the remedy. Stages print it without a traceback
    and exit with 1; anything else that is raised is a defect of ours.
    """


def one_line(error: BaseException) -> str:
    """What an error says, without line breaks: to stand in a sentence."""
    return " ".join(str(error).split())
