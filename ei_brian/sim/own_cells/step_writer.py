"""Abstract code of Brian2's integrators, rewritten in the language of steps.

The order of operations is that of Brian2's code. What holds no state becomes a coefficient, computed once; whole powers become
products, other powers ``exponential(a*logarithm(x))``; ``exp``, ``log``, ``sqrt``, ``sin`` and ``cos`` become the functions of
the language, and what can be made of
them (``tanh``, ``exprel``, ``log10`` …) is made of them, so that every simulator gives the same
bits. Conditions become numbers: ``and`` a product, ``or`` a sum, ``not`` what is left of 1.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping

from ei_brian.core.formula import Formula, parsed_expression
from ei_brian.core.quantity import Coefficient
from ei_brian.errors import SpecError

__all__ = ["StepWriter"]

OPERATORS: Mapping[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
COMPARED: Mapping[type[ast.cmpop], str] = {
    ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
NAMED = {"exp": "exponential", "log": "logarithm", "sqrt": "square_root", "sin": "sine", "cos": "cosine"}
WRITTEN = (*NAMED, "tan", "log10", "expm1", "abs", "sign", "tanh", "sinh", "cosh", "exprel", "clip", "int")
LARGEST_POWER = 20
SERIES = 10  # terms of exprel where exp(x) - 1 would lose digits


class StepWriter:
    """Writes assignments, and keeps the coefficients that they need.

    Parameters
    ----------
    parameters : mapping of str to str
        Name and unit of what never changes.
    units : mapping of str to float
        Names of units in the texts, and their size in SI.
    taken : iterable of str
        Names that may not be given to anything else.
    where : str
        For errors.
    unit_of : callable
        Gives the unit, of SI, of an expression without states.
    """

    def __init__(
        self, parameters: Mapping[str, str], units: Mapping[str, float], taken: Iterable[str], where: str,
        unit_of: Callable[[str], str],
    ) -> None:  # fmt: skip
        self.parameters, self.units, self.where, self.unit_of = parameters, units, where, unit_of
        self.taken = {*taken, *parameters}
        self.renamed: dict[str, str] = {}
        self.coefficients: dict[str, Coefficient] = {}
        self.lines: list[str] = []
        self._made: dict[str, str] = {}

    def assignments(self, code: str) -> str:
        """Return the assignments of a code, one a line, with ``+=`` and its like written out."""
        try:
            statements = ast.parse("\n".join(line.strip() for line in code.replace(";", "\n").splitlines())).body
        except SyntaxError as error:
            raise SpecError(f"{self.where}: {code!r:.120} cannot be read ({error.msg}); write assignments.") from error
        self.lines, self._made = [], {}
        for statement in statements:
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                target, value = statement.targets[0], statement.value
            elif isinstance(statement, ast.AugAssign):
                target, value = statement.target, ast.BinOp(_loaded(statement.target), statement.op, statement.value)
            else:
                raise SpecError(f"{self.where}: {ast.unparse(statement)!r:.80} is no assignment; write name = expression.")
            if not isinstance(target, ast.Name):
                raise SpecError(f"{self.where}: {ast.unparse(target)!r:.80} cannot be assigned to; write the name of a variable.")
            if target.id in self.parameters:
                raise SpecError(f"{self.where}: {target.id!r} is a parameter, which never changes; make it a variable.")
            self._assign(self._name(target.id), self.expression(value))
        return "\n".join(self.lines)

    def condition(self, text: str) -> tuple[str, str, str]:
        """Return left side, comparison and right side of a condition; one that is made of several is compared with 0."""
        return self._condition(parsed_expression(text, self.where))

    def expression(self, node: ast.expr) -> str:
        """Return one expression in the language of steps; what it needs first is written to ``lines``."""
        if self._is_free(node):
            return self._free(node)
        if isinstance(node, ast.Name):
            return self._name(node.id)
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return f"({self.expression(node.left)} {OPERATORS[type(node.op)]} {self.expression(node.right)})"
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            return self._power(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return f"(-{self.expression(node.operand)})"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd):
            return self.expression(node.operand)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._call(node.func.id, node.args)
        if isinstance(node, (ast.Compare, ast.BoolOp)) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
            return self._truth(node)
        raise self._refused(node, "is not something that every simulator computes with the same bits")

    def _condition(self, node: ast.expr) -> tuple[str, str, str]:
        return self._compared(node) if isinstance(node, ast.Compare) else (self._truth(node), ">", "0")

    def _truth(self, node: ast.expr) -> str:
        """Return a condition as a number, 1 where it holds and 0 elsewhere."""
        if isinstance(node, ast.BoolOp):
            parts = [self._truth(each) for each in node.values]
            if isinstance(node.op, ast.And):
                return f"({'*'.join(parts)})"
            return f"int({' + '.join(parts)} > 0)"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return f"(1 - {self._truth(node.operand)})"
        return f"int({' '.join(self._compared(node))})"

    def _compared(self, node: ast.expr) -> tuple[str, str, str]:
        if not isinstance(node, ast.Compare) or len(node.ops) != 1 or type(node.ops[0]) not in COMPARED:
            raise self._refused(node, "is no condition; write for example v > -20*mV")
        return self.expression(node.left), COMPARED[type(node.ops[0])], self.expression(node.comparators[0])

    def _refused(self, node: ast.expr, why: str) -> SpecError:
        allowed = f"Functions of states: {', '.join(WRITTEN)}, powers and conditions."
        return SpecError(f"{self.where}: {ast.unparse(node)!r:.80} {why}. {allowed}")

    def _name(self, name: str) -> str:
        """Return a name that every simulator takes: Brian2's own begin with underscores."""
        if not name.startswith("_"):
            return name
        if name not in self.renamed:
            self.renamed[name] = self._fresh("new_" + name.strip("_").replace("__", "_"))
        return self.renamed[name]

    def _fresh(self, wish: str) -> str:
        name = wish
        while name in self.taken:
            name += "x"
        self.taken.add(name)
        return name

    def _assign(self, name: str, text: str) -> None:
        self.lines.append(f"{name} = {text[1:-1] if _enclosed(text) else text}")
        self._made = {known: made for known, made in self._made.items() if not re.search(rf"\b{name}\b", known)}

    def _kept(self, text: str) -> str:
        """Return the name of a value, computed once."""
        if text.isidentifier():
            return text
        if text not in self._made:
            name = self._fresh(f"part_{sum(1 for each in self.taken if each.startswith('part_'))}")
            self._assign(name, text)
            self._made[text] = name
        return self._made[text]

    def _is_free(self, node: ast.expr) -> bool:
        """Tell whether an expression holds no state, nor a condition, which is no number of a formula."""
        inner = list(ast.walk(node))
        functions = {id(each.func) for each in inner if isinstance(each, ast.Call)}
        names = {each.id for each in inner if isinstance(each, ast.Name) and id(each) not in functions}
        if any(isinstance(each, ast.Compare) for each in inner):
            return False
        return not any(name not in self.parameters and name not in self.units and name != "dt" for name in names)

    def _free(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name) and node.id in self.parameters:
            return node.id
        if isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value in range(1000):  # type: ignore[operator]
            return str(int(node.value))  # type: ignore[arg-type]
        text = ast.unparse(_in_si(node, {name: size for name, size in self.units.items() if name not in self.parameters}))
        if text not in self.coefficients:
            used = sorted({each.id for each in ast.walk(node) if isinstance(each, ast.Name)} & set(self.parameters))
            name = self._fresh(f"constant_{len(self.coefficients)}")
            formula = Formula(text, tuple((each, self.parameters[each]) for each in used))
            meaning = f"{ast.unparse(node)}, in SI units"
            self.coefficients[text] = Coefficient(name, self.unit_of(ast.unparse(node)), meaning, formula)
        return self.coefficients[text].name

    def _power(self, node: ast.BinOp) -> str:
        exponent = _constant(node.right)
        if isinstance(node.left, ast.Call) and ast.unparse(node.left.func) == "exp" and self._is_free(node.right):
            return self._call("exp", [ast.BinOp(node.left.args[0], ast.Mult(), node.right)])  # exp(x)**a, as sympy writes it
        if exponent == 0.5:
            return self._elementary("sqrt", self.expression(node.left))
        if exponent is None or exponent != int(exponent) or abs(exponent) > LARGEST_POWER:
            return self._any_power(node)
        base = self._kept(self.expression(node.left))
        product = "*".join([base] * int(abs(exponent))) or "1"
        return f"({product})" if exponent >= 0 else f"(1/({product}))"

    def _any_power(self, node: ast.BinOp) -> str:
        """Return x**a for positive x: 0 where x is 0, not a number below."""
        base, exponent = self._kept(self.expression(node.left)), self.expression(node.right)
        log = self._elementary("log", base)
        return f"(int({base} != 0)*{self._elementary('exp', f'({exponent}*{log})')})"

    def _call(self, function: str, arguments: list[ast.expr]) -> str:
        if function == "int" and len(arguments) == 1:
            return self._truth(arguments[0])
        texts = [self.expression(argument) for argument in arguments]
        if function == "clip" and len(texts) == 3:
            return f"clip({', '.join(texts)})"
        if function not in WRITTEN or len(texts) != 1:
            raise self._refused(ast.Call(ast.Name(function), arguments, []), "is no function of a step")
        if function == "tanh":
            return f"(1 - 2/({self._elementary('exp', f'(2*{texts[0]})')} + 1))"
        if function in NAMED:
            return self._elementary(function, texts[0])
        x = self._kept(texts[0])
        if function in ("exprel", "expm1"):
            return self._exprel(x) if function == "exprel" else f"({x}*{self._exprel(x)})"
        if function in ("abs", "sign"):
            sign = f"(int({x} > 0) - int({x} < 0))"
            return sign if function == "sign" else f"({sign}*{x})"
        if function == "tan":
            return f"({self._elementary('sin', x)}/{self._elementary('cos', x)})"
        if function == "log10":
            return f"({self._elementary('log', x)}/{self._free(parsed_expression('log(10)', self.where))})"
        e = self._elementary("exp", x)
        return {"sinh": f"(({e} - 1/{e})/2)", "cosh": f"(({e} + 1/{e})/2)"}[function]

    def _elementary(self, function: str, argument: str) -> str:
        """Return the value of a function of the language of steps, computed once."""
        return self._kept(f"{NAMED[function]}({argument[1:-1] if _enclosed(argument) else argument})")

    def _exprel(self, x: str) -> str:
        """Return (exp(x) - 1)/x: its series where |x| < 0.1, exact to rounding there, the quotient elsewhere."""
        small = self._kept(f"int(100*{x}*{x} < 1)")
        series = "1"
        for term in range(SERIES, 1, -1):
            series = f"(1 + {x}/{term}*{series})" if series != "1" else f"(1 + {x}/{term})"
        return f"({small}*{series} + (1 - {small})*({self._elementary('exp', x)} - 1)/({x} + {small}))"


def _loaded(node: ast.expr) -> ast.expr:
    return ast.Name(node.id, ast.Load()) if isinstance(node, ast.Name) else node


def _constant(node: ast.expr) -> float | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _constant(node.operand)
        return None if inner is None else -inner
    return float(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) else None


def _enclosed(text: str) -> bool:
    """Tell whether one pair of brackets encloses all of a text."""
    if not (text.startswith("(") and text.endswith(")")):
        return False
    depth = 0
    for index, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return index == len(text) - 1
    return False


def _in_si(node: ast.expr, units: Mapping[str, float]) -> ast.expr:
    class Numbers(ast.NodeTransformer):
        def visit_Name(self, name: ast.Name) -> ast.expr:
            return ast.Constant(units[name.id]) if name.id in units else name

        def visit_UnaryOp(self, found: ast.UnaryOp) -> ast.AST:
            self.generic_visit(found)
            return found.operand if isinstance(found.op, ast.UAdd) else found

    made: ast.expr = Numbers().visit(ast.parse(ast.unparse(node), mode="eval").body)
    return made
