"""Which names the cells of a lecture bind and read, so that a name with two meanings is found without running it."""

import ast
import builtins
import symtable
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Cell:
    """The names of one cell: bound at its top level; read before that; read later, by the functions that it makes."""

    bound: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    later: dict[str, set[str]] = field(default_factory=dict)

    def imports(self) -> set[str]:
        """What the cell takes from others when it is run."""
        return self.read.union(*(names - self.bound for names in self.later.values()))

    def needs(self, elsewhere: set[str]) -> set[str]:
        """`imports`, and the globals of the functions that run `elsewhere`, later, as other cells have left them."""
        running = list(elsewhere & set(self.later))
        for function in running:  # grows
            running += [f for f in self.later[function] if f in self.later and f not in running]
        return self.imports().union(*(self.later[function] for function in running))


def two_meanings(sources: list[str]) -> dict[str, list[int]]:
    """Each name that one cell needs from others and that two or more bind, with the numbers of those that bind it."""
    cells = [names_of(source) for source in sources]
    needed = set[str]()
    for k, cell in enumerate(cells):
        needed |= cell.needs(set().union(*(other.imports() for j, other in enumerate(cells) if j != k)))
    binders = {name: [k for k, cell in enumerate(cells) if name in cell.bound] for name in sorted(needed)}
    return {name: numbers for name, numbers in binders.items() if len(numbers) > 1}


def missing(sources: list[str]) -> dict[str, int]:
    """Each name that a cell needs and no cell above it binds, with the number of that cell."""
    bound, found = set(dir(builtins)), dict[str, int]()
    for number, source in enumerate(sources):
        cell = names_of(source)
        found |= {name: number for name in cell.imports() - bound}
        bound |= cell.bound
    return found


def names_of(source: str) -> Cell:
    """The names of a cell's source."""
    cell = Cell(later=dict(_functions(symtable.symtable(source, "cell", "exec"))))
    for statement in ast.parse(source).body:
        _walk(statement, cell, frozenset(), ())
    return cell


def _functions(table: symtable.SymbolTable) -> Iterator[tuple[str, set[str]]]:
    """For each function or class of the top level: the global names that it, and what stands inside it, read."""
    for child in table.get_children():
        reads = {s.get_name() for s in child.get_symbols() if s.is_global() and s.is_referenced()}
        yield child.get_name(), reads.union(*(names for _, names in _functions(child)))


def _walk(node: ast.AST, cell: Cell, local: frozenset[str], made: tuple[str, ...]) -> None:
    """Reads and bindings in the order in which they happen; `made`: the names that a lambda met here goes to."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        defaults = [*node.args.defaults, *node.args.kw_defaults] if isinstance(node, ast.FunctionDef) else node.bases
        for part in filter(None, [*node.decorator_list, *defaults]):
            _walk(part, cell, local, made)
        cell.bound.add(node.name)
    elif isinstance(node, ast.Import | ast.ImportFrom):
        cell.bound |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        cell.bound |= {node.id} - local
    elif isinstance(node, ast.Name) and node.id not in local:
        for name in made:
            cell.later.setdefault(name, set()).add(node.id)
        cell.read |= set() if made else {node.id} - cell.bound
    elif isinstance(node, ast.Lambda):
        _walk(node.body, cell, local | {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}, made)
    else:
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            local |= {n.id for g in node.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
        elif isinstance(node, ast.Assign) and any(isinstance(n, ast.Lambda) for n in ast.walk(node.value)):
            made = tuple(n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name))
        for part in _in_order(node):
            _walk(part, cell, local, made if part is getattr(node, "value", None) or made else ())


def _in_order(node: ast.AST) -> list[ast.AST]:
    """The parts of a node, what is read before what is bound; x += 1 reads x."""
    parts = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        parts.insert(0, ast.Name(node.target.id, ast.Load()))
    first = getattr(node, "iter", None) or getattr(node, "value", None)
    return sorted(parts, key=lambda part: part is not first) if isinstance(first, ast.AST) else parts
