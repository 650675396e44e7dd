"""The settings of a table."""

import io
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from pipeline.config import Config
from pipeline.data.names import check_visible
from pipeline.data.schema import LATITUDE, LONGITUDE

Text = Annotated[str, StringConstraints(min_length=1)]


def _is_character(text: str) -> str:
    if len(text) != 1 or not "\x01" <= text <= "\x7f":
        raise ValueError("it must be one character, such as a semicolon or a tab, and not an accented letter")
    return text


Character = Annotated[str, AfterValidator(_is_character)]


class TableSettings(Config):
    """The files of a table, their form, and the columns that count."""

    files: list[Text] = Field(min_length=1, description="Files of posts: text, JSON lines, Parquet or spreadsheets.")
    test_files: list[Text] = Field(description="Files of the given test posts; `files` are then the training posts.")
    columns: Annotated[list[Text], Field(min_length=1)] | None = Field(
        description="Names of the columns, for files without a header line."
    )
    encoding: Text | None = Field(description="The encoding of text files, such as cp1252; null recognises it.")
    delimiter: Character | None = Field(
        description="The character between a text file's columns; null recognises a comma, semicolon, tab or bar."
    )
    quoted: bool = Field(description="True when a text file's values may stand in double quotation marks.")
    user: Text | None = Field(description="The column of the user; null when all posts are of one.")
    user_name: Annotated[Text, AfterValidator(check_visible)] = Field(
        description="The name of the one user, where `user` is null."
    )
    photo: Text = Field(description="The column of the photo: its id and, with a folder of photos, its file there.")
    tags: Text | Annotated[list[Text], Field(min_length=1)] = Field(description="The column of the tags, or several.")
    separator: Text | None = Field(description="The text between the tags of a cell; null for one tag a cell.")
    lowercase: bool = Field(description="True to make tags lower case, so that `Sea` and `sea` are one.")
    time: Text | None = Field(description="The column of the post's time, numbers or dates; null for none.")
    latitude: Text | None = Field(description="The column of the latitude, in degrees; null when none has it.")
    longitude: Text | None = Field(
        description="The column of the longitude, or that of the latitude where it holds both; null when none has it."
    )
    split: Text | None = Field(description="The column that says `train` or `test`; null for none.")
    photos: Text | None = Field(description="The folder of photos; null when there are none.")

    @property
    def tag_columns(self) -> Sequence[str]:
        """The columns of tags."""
        return [self.tags] if isinstance(self.tags, str) else self.tags

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str | None) -> str | None:
        try:
            io.TextIOWrapper(io.BytesIO(), encoding)
        except LookupError:
            raise ValueError("no encoding has this name; try utf-8, utf-16 or cp1252") from None
        return encoding

    @field_validator(LONGITUDE)
    @classmethod
    def _is_beside_latitude(cls, longitude: str | None, info: ValidationInfo) -> str | None:
        if LATITUDE in info.data and (info.data[LATITUDE] is None) != (longitude is None):
            raise ValueError("latitude and longitude go together; name both columns, or choose null for both")
        return longitude

    @model_validator(mode="after")
    def _one_split(self) -> "TableSettings":
        if self.test_files and self.split:
            raise ValueError("a split is given by test_files or by the column split: empty the one or null the other")
        return self
