//! The syntax of regular expressions, as far as the pre-tokenizers and normalizers of tokenizer files use it
//! (Oniguruma's Ruby syntax). What is left out is refused by name: back references, conditionals, `\R`, `\X`, `\K`, `\G`.

use crate::text::unicode::{CharSet, properties as unicode};

/// A parsed expression.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Empty,
    /// One character of a set.
    Set(CharSet),
    Concat(Vec<Node>),
    /// The first that leads to a match.
    Alternatives(Vec<Node>),
    Repeat {
        node: Box<Node>,
        min: u32,
        max: Option<u32>,
        mode: Mode,
    },
    Look {
        node: Box<Node>,
        behind: bool,
        negate: bool,
    },
    /// Once matched, never matched otherwise.
    Atomic(Box<Node>),
    Assert(Assertion),
}

/// Which of several lengths a repetition tries first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Greedy,
    Lazy,
    /// The longest and no other.
    Possessive,
}

/// A place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Assertion {
    Start,
    End,
    /// The end, or before a newline at the end.
    EndOrNewline,
    LineStart,
    LineEnd,
    WordBoundary,
    NoWordBoundary,
}

/// How deep groups and classes may nest.
const DEPTH: usize = 64;

pub(super) fn parse(pattern: &str) -> Result<Node, String> {
    let mut parser = Parser { rest: pattern, any_case: false, dot_all: false, depth: 0, before: None };
    let node = parser.alternatives()?;
    match parser.peek() {
        None => Ok(node),
        Some(c) => Err(format!("`{c}` closes nothing")),
    }
}

struct Parser<'a> {
    rest: &'a str,
    any_case: bool,
    dot_all: bool,
    depth: usize,
    /// The letter before, where case does not matter.
    before: Option<char>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest.strip_prefix(text);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn expect(&mut self, text: &str) -> Result<(), String> {
        if self.eat(text) { Ok(()) } else { Err(format!("a `{text}` is missing")) }
    }

    fn deeper(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH { Err(format!("groups nest deeper than {DEPTH}")) } else { Ok(()) }
    }

    /// Up to the end or the bracket that closes the group. Flags that are set inside hold to that end.
    fn alternatives(&mut self) -> Result<Node, String> {
        self.deeper()?;
        let flags = (self.any_case, self.dot_all);
        let mut all = vec![self.concat()?];
        while self.eat("|") {
            all.push(self.concat()?);
        }
        (self.any_case, self.dot_all) = flags;
        self.depth -= 1;
        Ok(if all.len() == 1 { all.remove(0) } else { Node::Alternatives(all) })
    }

    fn concat(&mut self) -> Result<Node, String> {
        let mut nodes = Vec::new();
        self.before = None;
        while self.peek().is_some_and(|c| c != '|' && c != ')') {
            let node = self.atom()?;
            nodes.push(self.repeated(node)?);
        }
        Ok(match nodes.len() {
            0 => Node::Empty,
            1 => nodes.remove(0),
            _ => Node::Concat(nodes),
        })
    }

    fn repeated(&mut self, mut node: Node) -> Result<Node, String> {
        for _ in 0..DEPTH {
            let (min, max, counted) = match self.peek() {
                Some('*') => (0, None, false),
                Some('+') => (1, None, false),
                Some('?') => (0, Some(1), false),
                Some('{') => match self.counts()? {
                    Some((min, max)) => (min, max, true),
                    None => return Ok(node),
                },
                _ => return Ok(node),
            };
            if !counted {
                self.next();
            }
            // `{n}?` is an option in Ruby's syntax, and `{n,m}+` a repetition of the repetition.
            let exact = counted && Some(min) == max;
            let mode = if !exact && self.eat("?") {
                Mode::Lazy
            } else if !counted && self.eat("+") {
                Mode::Possessive
            } else {
                Mode::Greedy
            };
            node = Node::Repeat { node: Box::new(node), min, max, mode };
        }
        Err(format!("more than {DEPTH} repetitions of repetitions"))
    }

    /// `{n}`, `{n,}`, `{,m}` or `{n,m}`; any other bracket is an ordinary character.
    fn counts(&mut self) -> Result<Option<(u32, Option<u32>)>, String> {
        let Some((inside, rest)) = self.rest[1..].split_once('}') else { return Ok(None) };
        let (min, max) = inside.split_once(',').unwrap_or((inside, inside));
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(min) || !is_number(max) || (min.is_empty() && max.is_empty()) {
            return Ok(None);
        }
        let number = |text: &str| text.parse().map_err(|_| format!("`{{{inside}}}` is too large a count"));
        let min = if min.is_empty() { 0 } else { number(min)? };
        let max = if max.is_empty() { None } else { Some(number(max)?) };
        if max.is_some_and(|max| max < min) {
            return Err(format!("`{{{inside}}}` counts backwards"));
        }
        self.rest = rest;
        Ok(Some((min, max)))
    }

    fn atom(&mut self) -> Result<Node, String> {
        let Some(c) = self.next() else { return Ok(Node::Empty) };
        Ok(match c {
            '(' => return self.group(),
            '[' => Node::Set(self.class()?),
            '.' if self.dot_all => Node::Set(CharSet::new(vec![(0, char::MAX as u32)])),
            '.' => Node::Set(CharSet::one('\n').complement()),
            '^' => Node::Assert(Assertion::LineStart),
            '$' => Node::Assert(Assertion::LineEnd),
            '\\' => return self.escape(),
            '*' | '+' | '?' => return Err(format!("`{c}` repeats nothing")),
            c => return self.literal(c),
        })
    }

    fn literal(&mut self, c: char) -> Result<Node, String> {
        let set = CharSet::one(c);
        if !self.any_case {
            return Ok(Node::Set(set));
        }
        // In another case some letters are several (ß and ss), which a set of characters cannot say.
        let before = self.before.replace(c.to_ascii_lowercase());
        let is_ligature =
            matches!((before, c.to_ascii_lowercase()), (Some('s'), 's' | 't') | (Some('f'), 'f' | 'i' | 'l'));
        if is_ligature || c.to_uppercase().count() > 1 || c.to_lowercase().count() > 1 {
            return Err(format!("`{c}` may be part of a letter of its own in the other case"));
        }
        Ok(Node::Set(set.any_case()))
    }

    fn group(&mut self) -> Result<Node, String> {
        if self.eat("?#") {
            let (_, rest) = self.rest.split_once(')').ok_or("a comment does not end")?;
            self.rest = rest;
            return Ok(Node::Empty);
        }
        let look = |behind, negate| move |node| Node::Look { node: Box::new(node), behind, negate };
        let wrap: Box<dyn Fn(Node) -> Node> = if self.eat("?:") {
            Box::new(|node| node)
        } else if self.eat("?=") {
            Box::new(look(false, false))
        } else if self.eat("?!") {
            Box::new(look(false, true))
        } else if self.eat("?<=") {
            Box::new(look(true, false))
        } else if self.eat("?<!") {
            Box::new(look(true, true))
        } else if self.eat("?>") {
            Box::new(|node| Node::Atomic(Box::new(node)))
        } else if self.eat("?<") || self.eat("?P<") {
            let (_, rest) = self.rest.split_once('>').ok_or("the name of a group does not end")?;
            self.rest = rest;
            Box::new(|node| node)
        } else if self.eat("?") {
            return self.flags();
        } else {
            Box::new(|node| node)
        };
        let node = self.alternatives()?;
        self.expect(")")?;
        Ok(wrap(node))
    }

    /// `(?im-im)` for the rest of the group around it, `(?im-im:…)` for a group of its own.
    fn flags(&mut self) -> Result<Node, String> {
        let outside = (self.any_case, self.dot_all);
        let mut on = true;
        loop {
            match self.next() {
                Some('i') => self.any_case = on,
                Some('m') => self.dot_all = on,
                Some('-') if on => on = false,
                // What follows bare flags is, alternatives and all, one group that ends with the group around it.
                Some(')') => return self.alternatives(),
                Some(':') => break,
                Some(c) => return Err(format!("the flag `{c}` is not supported")),
                None => return Err("flags do not end".into()),
            }
        }
        let node = self.alternatives()?;
        (self.any_case, self.dot_all) = outside;
        self.expect(")")?;
        Ok(node)
    }

    /// An escape outside of classes.
    fn escape(&mut self) -> Result<Node, String> {
        let assertion = match self.peek() {
            Some('b') => Some(Assertion::WordBoundary),
            Some('B') => Some(Assertion::NoWordBoundary),
            Some('A') => Some(Assertion::Start),
            Some('z') => Some(Assertion::End),
            Some('Z') => Some(Assertion::EndOrNewline),
            _ => None,
        };
        if let Some(assertion) = assertion {
            self.next();
            return Ok(Node::Assert(assertion));
        }
        match self.escaped(unicode::word)? {
            Escaped::Char(c) => self.literal(c),
            Escaped::Set(set) => Ok(Node::Set(set)),
        }
    }

    /// What a backslash makes of what follows; `word` gives what `\w` is here.
    fn escaped(&mut self, word: fn() -> CharSet) -> Result<Escaped, String> {
        let c = self.next().ok_or("a backslash ends the expression")?;
        Ok(match c {
            's' => Escaped::Set(unicode::space()),
            'S' => Escaped::Set(unicode::space().complement()),
            'd' => Escaped::Set(unicode::digit()),
            'D' => Escaped::Set(unicode::digit().complement()),
            'w' => Escaped::Set(word()),
            'W' => Escaped::Set(word().complement()),
            'h' => Escaped::Set(unicode::hex_digit()),
            'H' => Escaped::Set(unicode::hex_digit().complement()),
            'p' | 'P' => {
                self.expect("{")?;
                let negated = self.eat("^");
                let (name, rest) = self.rest.split_once('}').ok_or("the name of a property does not end")?;
                let unknown = || format!("the property `\\p{{{name}}}` is not known");
                let set = unicode::property(name).ok_or_else(unknown)?;
                self.rest = rest;
                Escaped::Set(if negated != (c == 'P') { set.complement() } else { set })
            }
            'n' => Escaped::Char('\n'),
            'r' => Escaped::Char('\r'),
            't' => Escaped::Char('\t'),
            'f' => Escaped::Char('\u{C}'),
            'v' => Escaped::Char('\u{B}'),
            'a' => Escaped::Char('\u{7}'),
            'e' => Escaped::Char('\u{1B}'),
            '0' => Escaped::Char('\0'),
            'x' if self.eat("{") => self.hexadecimal(8, "}")?,
            // A byte of its own that is no character cannot be matched in UTF-8.
            'x' => match self.hexadecimal(2, "")? {
                Escaped::Char(c) if c.is_ascii() => Escaped::Char(c),
                _ => return Err("`\\x80` and above is a byte, not a character".into()),
            },
            'u' => self.hexadecimal(4, "")?,
            c if c.is_ascii_alphanumeric() => return Err(format!("`\\{c}` is not supported")),
            c => Escaped::Char(c),
        })
    }

    fn hexadecimal(&mut self, most: usize, end: &str) -> Result<Escaped, String> {
        let digits = self.rest.bytes().take(most).take_while(u8::is_ascii_hexdigit).count();
        let code = u32::from_str_radix(&self.rest[..digits], 16).ok().and_then(char::from_u32);
        let code = code.ok_or_else(|| format!("`{}` is no character", &self.rest[..digits]))?;
        self.rest = &self.rest[digits..];
        self.expect(end)?;
        Ok(Escaped::Char(code))
    }

    /// A class, after its opening bracket.
    fn class(&mut self) -> Result<CharSet, String> {
        self.deeper()?;
        self.before = None;
        let negated = self.eat("^");
        let mut set = CharSet::new(Vec::new());
        // What `&&` joins to what follows.
        let mut before: Option<CharSet> = None;
        let mut first = true;
        loop {
            // A bracket that closes at once is a character.
            if !first && self.eat("]") {
                break;
            }
            if self.eat("&&") {
                before = Some(match before {
                    Some(before) => before.intersection(&set),
                    None => set,
                });
                set = CharSet::new(Vec::new());
                continue;
            }
            first = false;
            set = set.union(&self.class_item()?);
        }
        self.depth -= 1;
        if let Some(before) = before {
            set = before.intersection(&set);
        }
        if self.any_case {
            set = set.any_case();
        }
        Ok(if negated { set.complement() } else { set })
    }

    /// A character, a range, an escape or a class within a class.
    fn class_item(&mut self) -> Result<CharSet, String> {
        if self.rest.starts_with("[:")
            && let Some((name, rest)) = self.rest[2..].split_once(":]")
        {
            let (name, negated) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
            let unknown = || format!("the class `[:{name}:]` is not known");
            let set = unicode::property(name).ok_or_else(unknown)?;
            self.rest = rest;
            return Ok(if negated { set.complement() } else { set });
        }
        if self.eat("[") {
            return self.class();
        }
        let first = match self.class_char()? {
            Escaped::Set(set) => return Ok(set),
            Escaped::Char(c) => c,
        };
        let is_range =
            self.rest.starts_with('-') && !self.rest.starts_with("-]") && !self.rest.starts_with("-[");
        if !is_range {
            return Ok(CharSet::one(first));
        }
        self.next();
        match self.class_char()? {
            Escaped::Char(last) if first <= last => Ok(CharSet::new(vec![(first as u32, last as u32)])),
            Escaped::Char(last) => Err(format!("the range {first:?}-{last:?} is empty")),
            Escaped::Set(set) => Ok(set.union(&CharSet::new(vec![(first as u32, first as u32), (45, 45)]))),
        }
    }

    fn class_char(&mut self) -> Result<Escaped, String> {
        match self.next() {
            None => Err("a class does not end".into()),
            Some('\\') if self.eat("b") => Ok(Escaped::Char('\u{8}')),
            Some('\\') => self.escaped(unicode::word_in_class),
            Some(c) => Ok(Escaped::Char(c)),
        }
    }
}

enum Escaped {
    Char(char),
    Set(CharSet),
}
