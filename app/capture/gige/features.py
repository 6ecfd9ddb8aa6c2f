"""The settings of a GenICam camera by name: read, listed, and set within their bounds."""

from __future__ import annotations

import difflib
from typing import Any

from app.capture.camera import Knob
from app.capture.gige.aravis import translated, unless_undefined
from app.errors import CameraError
from app.status import Trouble
from app.types import Scalar

_MOST_NAMED = 3
_BOUNDLESS = 1e300
_OFTEN_UNLISTED = ("AcquisitionFrameRate", "BlackLevelRaw", "GainAuto", "GainRaw")


class Features:
    """The features of one camera.

    Args:
        library: Aravis.
        device: The open device.
        who: What errors call it, such as "camera 'top'".
    """

    def __init__(self, library: Any, device: Any, who: str) -> None:
        self._library = library
        self._device = device
        self._who = who
        self._tree = device.get_genicam()

    def has(self, name: str) -> bool:
        """The camera has this feature, and it can be used now."""
        with translated(f"{self._who} did not say whether it has {name}"):
            return bool(self._device.is_feature_available(name))

    def names(self) -> tuple[str, ...]:
        """All that its categories list, in their order."""
        names: dict[str, None] = {}
        self._collect("Root", names)
        return tuple(names)

    def knobs(self) -> tuple[Knob, ...]:
        """All that have a value: not commands, and not what cannot be used now."""
        nodes = ((name, self._tree.get_node(name)) for name in self.names())
        return tuple(
            self._knob(name, node)
            for name, node in nodes
            if not isinstance(node, self._library.GcCommand) and self.has(name)
        )

    def read(self, name: str) -> Scalar:
        """The value of a feature.

        Raises:
            CameraError: It has none of that name, or it cannot be read.
        """
        node = self._node(name)
        with translated(f"{self._who} did not tell its {name}"):
            return self._value(name, node)

    def set(self, name: str, value: Scalar) -> Scalar:
        """Sets a feature; a command is carried out.

        Returns:
            What the camera took.

        Raises:
            CameraError: It has no such feature, or the value is not one of its choices or out of its bounds.
        """
        node = self._node(name)
        library, device = self._library, self._device
        with translated(f"{self._who} refused {name} = {value}"):
            if not self._is_writable(node):
                raise self._refusal(name, value, "it can only be read, at least now")
            if isinstance(node, library.GcCommand):
                device.execute_command(name)
                return value
            if isinstance(node, library.GcEnumeration):
                device.set_string_feature_value(name, self._choice(name, value))
            elif isinstance(node, library.GcBoolean):
                device.set_boolean_feature_value(name, self._bool(name, value))
            elif isinstance(node, library.GcFloat):
                device.set_float_feature_value(name, self._number(name, node, value))
            elif isinstance(node, library.GcInteger):
                device.set_integer_feature_value(name, self._whole(name, node, value))
            else:
                device.set_string_feature_value(name, str(value))
            return self._value(name, node)

    def _node(self, name: str) -> Any:
        node = self._tree.get_node(name)
        if node is None or not self.has(name):
            names = (*self.names(), *(each for each in _OFTEN_UNLISTED if self.has(each)))
            by_lower = {each.lower(): each for each in names}
            near = difflib.get_close_matches(name.lower(), by_lower, n=_MOST_NAMED, cutoff=0.4)
            nearest = f"the nearest it has: {', '.join(by_lower[each] for each in near)}; " if near else ""
            state = "no setting" if node is None else "now no setting"
            raise CameraError(
                f"{self._who} has {state} {name!r}",
                f"{nearest}`takt camera probe` lists them all",
                code=Trouble.UNFIT.value,
            )
        return node

    def _collect(self, name: str, names: dict[str, None]) -> None:
        node = self._tree.get_node(name)
        if isinstance(node, self._library.GcCategory):
            for each in node.get_features():
                self._collect(each, names)
        elif node is not None:
            names[name] = None

    def _value(self, name: str, node: Any) -> Scalar:
        library, device = self._library, self._device
        if isinstance(node, library.GcEnumeration):
            return str(device.get_string_feature_value(name))
        if isinstance(node, library.GcBoolean):
            return bool(device.get_boolean_feature_value(name))
        if isinstance(node, library.GcFloat):
            return float(device.get_float_feature_value(name))
        if isinstance(node, library.GcInteger):
            return int(device.get_integer_feature_value(name))
        if isinstance(node, library.GcString):
            return str(device.get_string_feature_value(name))
        return None

    def _is_writable(self, node: Any) -> bool:
        modes = self._library.GcAccessMode
        return node.get_actual_access_mode() in (modes.RW, modes.WO) and not node.is_locked()

    def _knob(self, name: str, node: Any) -> Knob:
        with translated(f"{self._who} did not tell its {name}"):
            library = self._library
            is_writable = self._is_writable(node)
            is_secret = node.get_actual_access_mode() == library.GcAccessMode.WO
            value = None if is_secret else unless_undefined(lambda: self._value(name, node))
            if isinstance(node, library.GcEnumeration):
                choices = tuple(self._device.dup_available_enumeration_feature_values_as_strings(name))
                return Knob(name, value, choices=choices, is_writable=is_writable)
            if isinstance(node, library.GcBoolean) or not isinstance(node, (library.GcFloat, library.GcInteger)):
                return Knob(name, value, is_writable=is_writable)
            low, high, step = self._bounds(name, node)
            return Knob(name, value, low, high, step, unit=node.get_unit() or "", is_writable=is_writable)

    def _bounds(self, name: str, node: Any) -> tuple[float | None, float | None, float | None]:
        kind = "float" if isinstance(node, self._library.GcFloat) else "integer"
        bounds = unless_undefined(lambda: getattr(self._device, f"get_{kind}_feature_bounds")(name))
        step = unless_undefined(lambda: getattr(self._device, f"get_{kind}_feature_increment")(name))
        low, high = bounds or (None, None)
        return (
            low if low is not None and low > -_BOUNDLESS else None,
            high if high is not None and high < _BOUNDLESS else None,
            # Aravis says "no step" by the least number there is.
            step if step is not None and 1 / _BOUNDLESS < step < _BOUNDLESS else None,
        )

    def _choice(self, name: str, value: Scalar) -> str:
        choices = tuple(self._device.dup_available_enumeration_feature_values_as_strings(name))
        if value not in choices:
            raise self._refusal(name, value, f"it may be {', '.join(choices)}")
        return str(value)

    def _bool(self, name: str, value: Scalar) -> bool:
        if value not in (True, False):  # 0 and 1 too
            raise self._refusal(name, value, "it may be true or false")
        return bool(value)

    def _number(self, name: str, node: Any, value: Scalar) -> float:
        low, high, step = self._bounds(name, node)
        words = f"it may be {_shown(low)} to {_shown(high)} {node.get_unit() or ''}".rstrip()
        if step and step > 1:
            words += f" in steps of {step:g}"
        if isinstance(value, (bool, str)) or value is None:
            raise self._refusal(name, value, words)
        if (low is not None and value < low) or (high is not None and value > high):
            raise self._refusal(name, value, words)
        return float(value)

    def _whole(self, name: str, node: Any, value: Scalar) -> int:
        number = self._number(name, node, value)
        low, _, step = self._bounds(name, node)
        if number % 1 or (step and (number - (low or 0)) % step):
            steps = f" in steps of {step:g}" if step else ""
            raise self._refusal(name, value, f"it may be whole numbers from {_shown(low)}{steps}")
        return int(number)

    def _refusal(self, name: str, value: Scalar, words: str) -> CameraError:
        return CameraError(f"{self._who} cannot take {name} = {value}", words, code=Trouble.UNFIT.value)


def _shown(bound: float | None) -> str:
    return "any" if bound is None else f"{bound:.10g}"
