"""`dataclass` for records: what `dataclasses` gives them, at a tenth of its price when a module is imported.

`dataclasses` writes and compiles six functions for each class as its module is imported, and imports `inspect` for it:
for the hundred classes of a plan that is 40 ms of a start (docs/performance.md). Here a class costs 20 us: its one
compiled function, `__init__`, is written when the first object of the class is made, and the rest is shared.

Type checkers see the real thing, and so does who asks `dataclasses` about a record (`fields`, `asdict`, `replace`):
what it wants to know is put together when it asks. Only what records need is here: `slots=True`, `frozen`, `kw_only`,
defaults, `field(default=, default_factory=, repr=)`. A test holds the two together.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` costs a tenth of a start-up; type checkers know this name
if TYPE_CHECKING:
    from dataclasses import MISSING, dataclass, field, fields, replace
else:
    from operator import attrgetter

    class MISSING:
        """Stands for "no default"."""

    class Field:
        """One field as its class declares it, under the names that `dataclasses.Field` uses."""

        __slots__ = ("default", "default_factory", "name", "repr", "type")

        def __init__(self, default, default_factory, repr):  # noqa: A002  # dataclasses' own word
            self.default, self.default_factory, self.repr = default, default_factory, repr
            self.name = self.type = ""

    def field(*, default=MISSING, default_factory=MISSING, repr=True):  # noqa: A002  # as above
        return Field(default, default_factory, repr)

    def fields(record):
        """The fields of a record or its class, as declared."""
        return record._fields

    def replace(record, /, **changes):
        """The same record with some values changed. TypeError for a name that it does not have."""
        cls = type(record)
        return cls(**dict(zip(cls.__slots__, cls._values(record), strict=True)) | changes)

    def dataclass(*, slots, frozen=False, kw_only=False):
        """Decorates a class of annotated names."""
        if not slots:
            raise TypeError("a record has slots")
        return lambda cls: _record(cls, frozen=frozen, kw_only=kw_only)

    def _record(cls, *, frozen, kw_only):
        space = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
        found = [_field(name, kind, space) for name, kind in cls.__annotations__.items() if not _is_shared(kind)]
        names = tuple(one.name for one in found)
        space |= {
            "__slots__": names,
            "__init__": _first_init,
            "__match_args__": () if kw_only else names,
            "__dataclass_fields__": _ForDataclasses(),
            "_fields": tuple(found),
            "_values": staticmethod(_getter(names)),
            "_frozen": frozen,
            "_kw_only": kw_only,
        }
        for name, method in (_FROZEN if frozen else _MUTABLE).items():
            space.setdefault(name, method)
        made = type(cls)(cls.__name__, cls.__bases__, space)
        made.__qualname__ = cls.__qualname__
        return made

    def _is_shared(kind):
        return kind.startswith("ClassVar")

    def _field(name, kind, space):
        given = space.pop(name, MISSING)
        one = given if isinstance(given, Field) else Field(given, MISSING, repr=True)
        one.name, one.type = name, kind
        return one

    def _getter(names):
        """All values of a record as a tuple."""
        if len(names) > 1:
            return attrgetter(*names)
        return lambda record: tuple(getattr(record, name) for name in names)

    def _first_init(self, *args, **values):
        """Stands in for the `__init__` of a class of which no object was made yet."""
        cls = next(base for base in type(self).__mro__ if "_fields" in vars(base))
        cls.__init__ = _init(cls)
        cls.__init__(self, *args, **values)

    def _init(cls):
        """Written out, because a loop over the fields takes three times as long. A frozen record is filled through its
        slots, which `__setattr__` does not guard."""
        known = {"MISSING": MISSING}
        parameters = ["self", "*"] if cls._kw_only and cls._fields else ["self"]
        body = []
        for one in cls._fields:
            name = value = one.name
            known[f"set_{name}"] = vars(cls)[name].__set__
            if one.default_factory is not MISSING:
                known[f"new_{name}"] = one.default_factory
                parameters.append(f"{name}=MISSING")
                value = f"new_{name}() if {name} is MISSING else {name}"
            elif one.default is not MISSING:
                known[f"default_{name}"] = one.default
                parameters.append(f"{name}=default_{name}")
            else:
                parameters.append(name)
            body.append(f"set_{name}(self, {value})" if cls._frozen else f"self.{name} = {value}")
        exec(f"def __init__({', '.join(parameters)}):\n " + "\n ".join(body or ["pass"]), known)  # noqa: S102  # our own names
        return known["__init__"]

    def _repr(self):
        shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in self._fields if one.repr)
        return f"{type(self).__qualname__}({shown})"

    def _eq(self, other):
        if other.__class__ is not self.__class__:
            return NotImplemented
        return self._values(self) == other._values(other)

    def _hash(self):
        return hash(self._values(self))

    def _refuse(self, name, *value):
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def _reduce(self):
        return _again, (type(self), self._values(self))

    def _again(cls, values):
        return cls(**dict(zip(cls.__slots__, values, strict=True)))

    _MUTABLE = {"__repr__": _repr, "__eq__": _eq, "__hash__": None, "__reduce__": _reduce}
    _FROZEN = _MUTABLE | {"__hash__": _hash, "__setattr__": _refuse, "__delattr__": _refuse}

    class _ForDataclasses:
        """`__dataclass_fields__`, made when somebody asks `dataclasses` about a record."""

        def __get__(self, record, cls):
            import dataclasses

            found = {}
            for one in cls._fields:
                rest = {"default": one.default} if one.default is not MISSING else {}
                rest |= {"default_factory": one.default_factory} if one.default_factory is not MISSING else {}
                made = found[one.name] = dataclasses.field(repr=one.repr, kw_only=cls._kw_only, **rest)
                made.name, made.type, made._field_type = one.name, one.type, dataclasses._FIELD
            return found


__all__ = ["MISSING", "dataclass", "field", "fields", "replace"]
