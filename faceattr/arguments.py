"""Wrong arguments: when a call has failed, find the one that does not fit its annotation."""

from __future__ import annotations

import builtins
import inspect
import math
import sys
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import wraps
from numbers import Integral, Real
from typing import IO, Any, Literal, TypeVar, Union, get_args, get_origin

import numpy as np

from faceattr.errors import FaceattrError, OptionError

T = TypeVar("T", bound=Callable[..., Any])


def explained(target: T) -> T:
    """Let a function, or the constructor of a class, say which argument made it fail.

    If it fails with an error that is not ours, and an argument does not fit its annotation, an
    `OptionError` names it, or the field of a value in it that does not fit. Arguments with which
    it works are never looked at.
    """
    if isinstance(target, type):
        setattr(target, "__init__", explained(vars(target)["__init__"]))  # noqa: B010  # for mypy
        return target
    if inspect.isgeneratorfunction(target):

        @wraps(target)
        def call(*args: Any, **kwargs: Any) -> Any:
            with _explaining(target, args, kwargs):
                return (yield from target(*args, **kwargs))
    else:

        @wraps(target)
        def call(*args: Any, **kwargs: Any) -> Any:
            with _explaining(target, args, kwargs):
                return target(*args, **kwargs)

    return call  # type: ignore[return-value]  # it has the signature of the target


@contextmanager
def _explaining(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Iterator[None]:
    try:
        yield
    except FaceattrError:
        raise
    except Exception as error:
        problem = _find_problem(function, args, kwargs)
        if problem is None:
            raise
        raise OptionError(problem) from error


def _find_problem(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> str | None:
    """Return what is wrong with the arguments; None if they fit, or are too many or too few."""
    try:
        signature = inspect.signature(function)
        given = signature.bind(*args, **kwargs).arguments
    except TypeError:  # Python's own error says which
        return None
    names = _Names(getattr(inspect.unwrap(function), "__globals__", {}))
    where = function.__qualname__.removesuffix(".__init__")
    for name, value in given.items():
        parameter = signature.parameters[name]
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if not _fits(value, _evaluate(parameter.annotation, names)):
            return f"{where}: {name} is {describe_value(value)}; it must be {parameter.annotation}"
    problem = _find_inside(list(given.values()))
    return None if problem is None else f"{where}: {problem}"


def _find_inside(value: Any) -> str | None:
    """Return what is wrong with a field of a dataclass, or of one that a collection holds."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return next(filter(None, map(_find_inside, value)), None)
    if isinstance(value, type) or not is_dataclass(value):
        return None
    names = _Names(vars(sys.modules[type(value).__module__]))
    for field in fields(value):
        own = getattr(value, field.name)
        if not _fits(own, _evaluate(field.type, names)):
            described = f"{field.name} of a {type(value).__name__} is {describe_value(own)}"
            return f"{described}; it must be {field.type}"
    return _find_inside([getattr(value, field.name) for field in fields(value)])


def describe_value(value: object) -> str:
    """Return a value in at most 100 characters, for a message that refuses it."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    try:
        return f"{value!r:.100}"
    except ValueError:  # an int with too many digits
        return "a very large number"
    except RecursionError:
        return "a very deep one"


class _Names(dict[str, Any]):
    """The names that annotations use, those that are imported for type checkers only too."""

    def __missing__(self, name: str) -> Any:
        import faceattr

        return getattr(builtins, name, None) or getattr(faceattr, name, Any)


def _evaluate(annotation: Any, names: _Names) -> Any:
    if annotation is inspect.Parameter.empty:
        return Any
    try:
        return eval(annotation, {}, names) if isinstance(annotation, str) else annotation
    except (AttributeError, TypeError):  # not made to be evaluated
        return Any


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value has the type of an annotation, as far as that can be told."""
    origin, args = get_origin(hint) or hint, get_args(hint)
    if hasattr(origin, "__value__"):  # made by a `type` statement, as NumPy's since 2.5
        return _fits(value, origin.__value__[args] if args else origin.__value__)
    if origin is Any:
        return True
    if origin is IO:
        return hasattr(value, "read") or hasattr(value, "write")
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in args)
    if origin is Literal:
        return isinstance(value, str) and value in args
    if hint is None or not isinstance(origin, type):
        return value is None if hint is None else True
    if origin is float:
        return isinstance(value, Real) and not isinstance(value, bool) and is_finite(value)
    if origin is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    if origin is bool:
        return isinstance(value, bool | np.bool_)
    if origin is type:
        return isinstance(value, type)
    if origin is np.ndarray:
        return isinstance(value, np.ndarray) and _has_dtype(value, args)
    if origin is tuple and Ellipsis not in args and isinstance(value, Collection):
        return len(value) == len(args) and all(map(_fits, value, args))
    if origin in (tuple, frozenset):  # any other collection may do as well
        origin = Collection
    if not isinstance(value, origin) or (args and isinstance(value, str | bytes)):
        return False
    if isinstance(value, Mapping) and len(args) == 2:
        return all(_fits(key, args[0]) and _fits(one, args[1]) for key, one in value.items())
    if isinstance(value, Collection) and issubclass(origin, Iterable) and args:
        return all(_fits(one, args[0]) for one in value)  # an iterator would be used up
    return True


def _has_dtype(array: np.ndarray[Any, Any], args: tuple[Any, ...]) -> bool:
    kinds = get_args(args[1]) if len(args) == 2 else ()
    return not kinds or not isinstance(kinds[0], type) or np.issubdtype(array.dtype, kinds[0])


def is_finite(value: Real | float) -> bool:
    """Return whether a number is a finite float, or an int that a float can hold."""
    try:
        return math.isfinite(value)
    except OverflowError:  # an int that no float can hold
        return False
