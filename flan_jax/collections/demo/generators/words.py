"""The small world that every demo task speaks of: things by kind, people, places."""

KINDS: dict[str, tuple[str, ...]] = {
  "animal": ("fox", "owl", "bear", "goat", "duck", "horse"),
  "food": ("apple", "bread", "cake", "rice", "soup", "egg"),
  "tool": ("axe", "drill", "hammer", "ladder", "needle", "rope"),
  "garment": ("boot", "cap", "coat", "dress", "glove", "shirt"),
  "vehicle": ("bike", "boat", "bus", "canoe", "train", "plane"),
}
THINGS: tuple[str, ...] = tuple(thing for things in KINDS.values() for thing in things)
PEOPLE: tuple[str, ...] = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ivo", "Jill", "Kai", "Lena")
PLACES: tuple[str, ...] = ("barn", "cellar", "garden", "harbour", "kitchen", "library", "market", "school")
NUMBERS: tuple[str, ...] = (
  *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
  *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)


def kind_of(thing: str) -> str:
  """The kind a thing belongs to; KeyError for a word of another world."""
  for kind, things in KINDS.items():
    if thing in things:
      return kind
  raise KeyError(thing)


def with_article(noun: str) -> str:
  """'an owl', 'a fox'."""
  return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
