"""A rough outline of a C++ file: which declarations stand at namespace or class scope, and where.

No parser: it follows braces, parentheses and semicolons, which is enough for the style of this project.
"""
import re
from dataclasses import dataclass


@dataclass
class Declaration:
    kind: str  # namespace, type, function or other
    head: str  # its text up to the body, parentheses emptied
    name: str
    first: int  # line its head begins at, from 1
    last: int  # line its body or semicolon ends at
    body: int  # line its body begins at, or 0 without one
    public: bool  # at namespace scope or in the public part of public types; not in namespaces of parts or details
    scope: str  # name of the enclosing type, or ""


def blank_out(text):
    """The text with comments, literals and preprocessor lines as spaces; every line stays where it is."""
    pattern = r"""//[^\n]*|/\*.*?\*/|R"\((?:.*?)\)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'"""
    text = re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.S)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.M)


def without_template_heads(head):
    head = re.sub(r"\[\[.*?\]\]", " ", head).strip()
    while head.startswith("template"):
        depth, end = 0, len(head)
        for i, c in enumerate(head):
            depth += {"<": 1, ">": -1}.get(c, 0)
            if c == ">" and depth == 0:
                end = i + 1
                break
        head = head[end:].strip()
    return head


def kind_of(head, scope_kind):
    """What a brace after this head opens."""
    head = without_template_heads(head)
    if scope_kind not in ("namespace", "type"):
        return "other"
    if re.match(r"(inline\s+)?namespace\b|extern\s*$", head):
        return "namespace"
    if re.match(r"(typedef\s+)?(class|struct|union|enum)\b", head) and "()" not in head.replace("alignas()", ""):
        return "type"
    if re.search(r"\boperator\b.*\(\)", head):
        return "function"
    if re.search(r"\bconcept\b", head) or re.search(r"(?<!operator)(?<![=!<>])=(?!=)", head):
        return "initialiser"
    if "()" not in head:
        return "initialiser"
    if re.search(r"\(\)[\w\s]*:(?!:)", head) and re.search(r"[\w>]$", head):
        return "initialiser"  # of a member, before the constructor's body
    return "function"


def name_of(head):
    head = re.sub(r"\b(__attribute__|alignas|requires|explicit|decltype)\s*\(\)", " ", without_template_heads(head))
    if "operator" in head:
        return "operator"
    found = re.match(r"(?:typedef\s+)?(?:enum\s+)?(?:class|struct|union|enum)\s+(?:\w+::)*(\w+)", head)
    if found and "()" not in head[found.end():]:
        return found[1]
    for pattern in (r"(?:namespace|concept|using)\s+([\w:]+)", r"(~?\w+)\s*(?:<[^()]*>)?\s*\(\)"):
        found = re.search(pattern, head)
        if found:
            return found[1]
    found = re.search(r"(\w+)\s*(?:<[^=]*>)?\s*(?:\[.*)?$", re.split(r"(?<![=!<>])=|\{|,|(?<!:):(?!:)", head)[0].strip())
    return found[1] if found else ""


@dataclass
class Scope:
    kind: str
    head: str = ""
    first: int = 0
    parens: int = 0
    public: bool = True
    visible: bool = True
    name: str = ""
    body: int = 0


class Outline:
    """Walks over a file once; `declarations` is in order of their ends."""

    def __init__(self, text):
        self.declarations = []
        self.stack = [Scope("namespace")]
        self.head, self.first, self.parens, self.line = "", 0, 0, 1
        for c in blank_out(text):
            self.step(c)

    def step(self, c):
        if c == "\n":
            self.line += 1
            c = " "
        if c == "(":
            self.parens += 1
            self.head += "(" if self.parens == 1 else ""
        elif c == ")":
            self.parens -= 1
            self.head += ")" if self.parens == 0 else ""
        elif c == "{":
            self.open()
        elif c == "}" and len(self.stack) > 1:
            self.close()
        elif self.parens == 0:
            self.take(c)

    def take(self, c):
        """One character of a head."""
        scope = self.stack[-1]
        if c == ";":
            if self.head.strip():
                self.declare("other", self.head, self.first, 0)
            self.head = ""
            return
        if not self.head.strip() and not c.isspace():
            self.head, self.first = "", self.line
        self.head += c
        access = re.match(r"\s*(public|private|protected)\s*:$", self.head)
        if access and scope.kind == "type":
            scope.public = access[1] == "public"
            self.head = ""

    def open(self):
        outer = self.stack[-1]
        kind = "other" if self.parens else kind_of(self.head.strip(), outer.kind)
        hidden = kind in ("function", "other", "initialiser") or re.search(r"\btemplate\s*<\s*>", self.head)
        if kind == "namespace":
            hidden = not re.search(r"namespace\s+\w", self.head) or re.search(r"(_parts|detail)\b", self.head)
        if not self.head.strip():
            self.first = self.line
        private_by_default = bool(re.match(r"class\b", without_template_heads(self.head)))
        name = name_of(self.head) if kind == "type" else outer.name if kind != "namespace" else ""
        self.stack.append(Scope(kind, self.head, self.first, self.parens, not private_by_default,
                                outer.visible and outer.public and not hidden, name, self.line))
        self.head, self.parens = "", 0

    def close(self):
        scope = self.stack.pop()
        self.head, self.first, self.parens = "", 0, scope.parens
        if scope.kind in ("initialiser", "other"):
            self.head, self.first = scope.head + ("" if scope.parens else "{}"), scope.first  # the declaration goes on behind it
        elif scope.kind == "function":
            self.declare("function", scope.head, scope.first, scope.body)
        elif scope.kind in ("type", "namespace"):
            self.declare(scope.kind, scope.head, scope.first, scope.body)

    def declare(self, kind, head, first, body):
        scope = self.stack[-1]
        if scope.kind in ("namespace", "type"):
            self.declarations.append(Declaration(kind, head.strip(), name_of(head.strip()), first, self.line, body,
                                                 scope.visible and scope.public, scope.name))
