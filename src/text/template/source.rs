//! What is done to a template's source before it is compiled: tags that only training needs become plain blocks, what is
//! kept in variables is looked at, and expressions that would exhaust the compiler's stack are refused.

use super::keeping;

/// Tokens in one tag. The compiler recurses once per operator of a chain (`not not …`, `1+1+…`); published templates
/// have 50 at most.
const MAX_TOKENS: usize = 500;
/// `elif`s in a template, for which the compiler recurses too.
const MAX_ELIFS: usize = 250;

/// A place in the source that begins something.
enum Opening {
    Comment,
    Raw,
    Block,
    Variable,
}

/// The source to compile, or why it is refused.
///
/// `{% generation %}…{% endgeneration %}` marks what training learns from; it becomes `{% if true %}…{% endif %}`.
pub(super) fn prepare(source: &str) -> Result<String, String> {
    let mut program = String::with_capacity(source.len());
    let mut rest = source;
    let mut elifs = 0;
    while let Some((at, opening)) = next_opening(rest) {
        let (data, tag) = rest.split_at(at);
        program += data;
        let len = match opening {
            Opening::Comment => tag.find("#}").map_or(tag.len(), |end| end + 2),
            Opening::Raw => raw_len(tag),
            Opening::Block => tag_len(tag, "%}")?,
            Opening::Variable => tag_len(tag, "}}")?,
        };
        let (tag, after) = tag.split_at(len);
        rest = after;
        let (lead, name) = block_name(tag);
        elifs += usize::from(name == "elif");
        let replaced = match (&opening, name) {
            (Opening::Block, "generation") => Some("if true"),
            (Opening::Block, "endgeneration") => Some("endif"),
            _ => None,
        };
        match replaced {
            Some(words) => program.extend([&tag[..lead], words, &tag[lead + name.len()..]]),
            None if matches!(opening, Opening::Block) => program += &keeping::guarded(tag, lead, name),
            None => program += tag,
        }
    }
    if elifs > MAX_ELIFS {
        return Err(format!("it has {elifs} elif, at most {MAX_ELIFS} are compiled"));
    }
    Ok(program + rest)
}

fn next_opening(source: &str) -> Option<(usize, Opening)> {
    source.match_indices('{').find_map(|(at, _)| {
        let tag = &source[at..];
        let opening = match tag.as_bytes().get(1)? {
            b'#' => Opening::Comment,
            b'{' => Opening::Variable,
            b'%' if is_basic(tag, "raw") => Opening::Raw,
            b'%' => Opening::Block,
            _ => return None,
        };
        Some((at, opening))
    })
}

/// Where the first word of a tag starts, and the word.
fn block_name(tag: &str) -> (usize, &str) {
    let inside = tag.get(2..).unwrap_or_default();
    let inside = inside.strip_prefix(['-', '+']).unwrap_or(inside).trim_ascii_start();
    let name = inside.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default();
    (tag.len() - inside.len(), name)
}

/// Whether the tag is a block of this one word.
fn is_basic(tag: &str, word: &str) -> bool {
    let (lead, name) = block_name(tag);
    let after = tag[lead + name.len()..].trim_ascii_start();
    name == word && after.strip_prefix(['-', '+']).unwrap_or(after).starts_with("%}")
}

/// Bytes up to and with the end of a raw block; nothing in it is a tag.
fn raw_len(tag: &str) -> usize {
    let end = tag.match_indices("{%").find(|(at, _)| is_basic(&tag[*at..], "endraw"));
    let Some((at, _)) = end else { return tag.len() };
    at + tag[at..].find("%}").map_or(0, |close| close + 2)
}

/// Bytes of a tag up to and with its end, which does not count inside strings and brackets.
fn tag_len(tag: &str, close: &str) -> Result<usize, String> {
    let (mut at, mut open, mut n_tokens) = (2, 0_i64, 0);
    let bytes = tag.as_bytes();
    while let Some(byte) = bytes.get(at) {
        if open == 0 && tag.as_bytes()[at..].starts_with(close.as_bytes()) {
            return Ok(at + 2);
        }
        at += match byte {
            b'"' | b'\'' => string_len(&bytes[at..]),
            _ if is_word(*byte) => bytes[at..].iter().take_while(|byte| is_word(**byte)).count(),
            _ => 1,
        };
        open += match byte {
            b'(' | b'[' | b'{' => 1,
            b')' | b']' | b'}' => -1,
            _ => 0,
        };
        n_tokens += usize::from(!byte.is_ascii_whitespace());
        if n_tokens > MAX_TOKENS {
            return Err(format!("an expression has more than {MAX_TOKENS} tokens"));
        }
    }
    Ok(tag.len())
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Bytes of a string with its quotes.
pub(super) fn string_len(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != bytes[0] {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::prepare;

    #[test]
    fn only_generation_blocks_change() {
        let source = "{{ generation }}{%- generation +%}a{# {% generation %} #}{% endgeneration %}";
        let expected = "{{ generation }}{%- if true +%}a{# {% generation %} #}{% endif %}";
        assert_eq!(prepare(source).unwrap(), expected);
        for same in
            ["", "{", "{{", "{%", "{#", "{% raw %}{% generation %}", "{{ '}}' }}é{{ {'a': {}} }}x", "{{ 'é\\"]
        {
            assert_eq!(prepare(same).unwrap(), same);
        }
    }

    #[test]
    fn long_chains_are_refused_wherever_they_hide() {
        let chain = format!("{{{{ {}1 }}}}", "not ".repeat(600));
        for source in [
            chain.clone(),
            format!("{{# '{{{{ #}}{chain}"),
            format!("{{% raw %}}{{{{ ' {{# {{% endraw %}}{chain}"),
            format!("{{{{ '}}}}\\'' }}}}{chain}"),
            format!("{{{{ {}1 }}}}", "1+'%}}}'+".repeat(300)),
        ] {
            assert!(prepare(&source).is_err(), "{}", &source[..40]);
        }
        let shown = format!("{{% raw %}}{chain}{{% endraw %}}{{# {chain} #}}");
        assert_eq!(prepare(&shown).unwrap(), shown);
    }
}
