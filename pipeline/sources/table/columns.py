"""The usual names of columns, in several languages, by what the columns hold."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

from pipeline.data.names import normalise
from pipeline.data.schema import LATITUDE, LONGITUDE, PHOTO, SPLIT, TAG, TAGS, TIME, USER

POSITION = "position"
"""The role of a column that holds a latitude and a longitude: the settings name it for both."""

WHOLE: Mapping[str, Sequence[str]] = {
    TAGS: f"""{TAGS} keywords hashtags {TAG} keyword subject labels label usertags schlagworte
        schlagwörter stichworte stichwörter motsclés étiquettes palabrasclave etiquetas parolechiave
        palavraschave trefwoorden nyckelord słowakluczowe klíčováslova anahtarkelimeler ключевыеслова
        теги метки λέξειςκλειδιά 标签 关键词 關鍵字 タグ キーワード 태그 키워드""".split(),
    PHOTO: f"""{PHOTO} photoid image imageid sourcefile filename file filepath path picture pictureid img
        foto bild datei dateiname fichier nomdufichier imagen archivo nombredearchivo immagine arquivo
        bestand bestandsnaam fil filnamn plik zdjęcie soubor dosya фото файл изображение φωτογραφία 照片
        图片 文件名 写真 画像 ファイル名 사진 파일 guid item resource""".split(),
    USER: f"""{USER} userid username useruuid owner ownerid ownername photographer author creator artist
        byline uploader nsid uid account nutzer benutzer benutzername fotograf urheber autor utilisateur
        auteur photographe usuario fotógrafo utente autore usuário gebruiker användare użytkownik
        uživatel kullanıcı пользователь автор фотограф χρήστης 用户 用户名 作者 ユーザー 撮影者 사용자""".split(),
    TIME: f"""{TIME} timestamp datetime date datetimeoriginal createdate datetaken takenat taken
        createdat created posted uploaded datum zeit uhrzeit aufnahmedatum aufgenommen zeitstempel
        horodatage dateprise fecha hora data tijd tid czas čas tarih zaman дата время ημερομηνία 时间 日期 日時 日付
        撮影日時 시간 날짜""".split(),
    LATITUDE: f"""{LATITUDE} lat gpslatitude gpslat geolatitude geolat compositegpslatitude exifgpslatitude
        gpsgpslatitude breitengrad latitud latitudine breedtegraad enlem широта 纬度 緯度 위도""".split(),
    LONGITUDE: f"""{LONGITUDE} lng lon long gpslongitude gpslng gpslon gpslong geolongitude geolng geolon
        geolong compositegpslongitude exifgpslongitude gpsgpslongitude längengrad longitud longitudine
        lengtegraad boylam долгота 经度 經度 経度 경도""".split(),
    POSITION: ("gpsposition", "compositegpsposition", "latlon", "latlng", "latlong", "latitudelongitude"),
    SPLIT: f"{SPLIT} set subset partition half".split(),
}
"""Names of columns by what they hold, the usual first, without marks between their words."""
PARTS: Mapping[str, Sequence[str]] = {
    TAGS: (TAGS, "keywords", "hashtags", TAG, "keyword"),
    PHOTO: (PHOTO, "image", "picture", "filename", "file", "img"),
    USER: (USER, "owner", "author", "photographer", "uploader", "creator"),
    TIME: (TIME, "date", "timestamp", "datetime", "taken", "created"),
}
"""Words that show it within a longer name."""
UNSIGNED = re.compile(r"(exif|gps)(gps|gpsinfo)?gps(latitude|longitude)")
"""Columns whose numbers have no sign, without marks between their words: those of Exif as they stand.

So ExifTool (with -G, -G1 or -G0:1) and exiv2 call them, and what others make of that: EXIF.GPSLatitude of its JSON.
"""


def columns_of(role: str, names: Sequence[str]) -> list[str]:
    """Lists the columns that a role fits by their names, best first: by whole names, else by words in them."""
    folded = {_fold(name): name for name in reversed(names)}
    if whole := [folded[word] for word in map(_fold, WHOLE[role]) if word in folded]:
        return whole
    return [name for part in PARTS.get(role, ()) for name in names if part in _words(name)]


def hemispheres_of(column: str, names: Sequence[str]) -> str | None:
    """Finds the column with the hemispheres of a column of angles: GPSLatitudeRef for GPSLatitude, as in ExifTool.

    Where several fit, it is the one that is spelled so. None where a table with these names has none.
    """
    wanted = f"{column}Ref"
    fitting = [name for name in names if _fold(str(name)) == _fold(wanted)]
    return wanted if wanted in fitting else next(iter(fitting), None)


def is_unsigned(column: str) -> bool:
    """Recognises a column of angles that have no sign, by its name."""
    return UNSIGNED.fullmatch(_fold(column)) is not None


def _fold(name: str) -> str:
    """Reduces a name to its letters and digits, in lower case, without accents."""
    plain = unicodedata.normalize("NFKD", normalise(name).casefold())
    return "".join(letter for letter in plain if letter.isalnum())


def _words(name: str) -> list[str]:
    """Splits a name like post_create_date or PostCreateDate into its words."""
    return [word.casefold() for word in re.findall(r"[^\W\d_]+?(?=[A-Z][a-z]|[\W\d_]|$)|[^\W\d_]+", name)]
