//! Texts of every script and every kind of mischief.

use super::Random;

/// Parts of Unicode in which tokenizers have rules: scripts, marks, spaces, symbols, what has other forms.
const BLOCKS: &[(u32, u32)] = &[
    (0x20, 0x7e),
    (0xa0, 0x24f),
    (0x300, 0x36f),
    (0x370, 0x52f),
    (0x531, 0x5f4),
    (0x600, 0x6ff),
    (0x900, 0x97f),
    (0xe00, 0xe7f),
    (0x1100, 0x11ff),
    (0x1e00, 0x206f),
    (0x2070, 0x22ff),
    (0x2460, 0x24ff),
    (0x3000, 0x30ff),
    (0x3200, 0x33ff),
    (0x4e00, 0x9fff),
    (0xac00, 0xd7a3),
    (0xf900, 0xfaff),
    (0xfb00, 0xfe6f),
    (0xff00, 0xffef),
    (0x10400, 0x1044f),
    (0x1d400, 0x1d7ff),
    (0x1f130, 0x1f6ff),
    (0x1f900, 0x1f9ff),
    (0x20000, 0x2a6df),
    (0x2f800, 0x2fa1f),
    (0xe0100, 0xe01ef),
];
const WHITE: &[char] = &[
    ' ', '\t', '\n', '\r', '\u{a0}', '\u{85}', '\u{1680}', '\u{2003}', '\u{2028}', '\u{3000}', '\u{200b}',
    '\u{feff}',
];
const ODD: &[char] = &[
    '\0',
    '\u{1}',
    '\u{7f}',
    '\u{ad}',
    '\u{200c}',
    '\u{200d}',
    '\u{2581}',
    '\u{fffd}',
    '\u{10ffff}',
    '\'',
    '’',
    '\u{345}',
    '\u{f73}',
    'İ',
    'ß',
    'ſ',
    '\u{212a}',
    '½',
    '²',
    'Ⅷ',
    'ⓐ',
];
const WORDS: &[&str] = &[
    "the",
    "and",
    "that",
    "walked",
    "unbelievable",
    "internationalization",
    "don't",
    "I'll",
    "WE'VE",
    "naïve",
    "Zürich",
    "Ελλάδα",
    "Москва",
    "日本語",
    "한국어",
    "مرحبا",
    "हिन्दी",
    "ภาษาไทย",
    "3.14159",
    "12345678",
    "https://example.org/a?b=c",
    "foo_bar",
    "fooBar",
    "e\u{301}le\u{300}ve",
    "ﬁn",
    "ＦＵＬＬ",
    "👩‍👩‍👧",
    "🇩🇪",
    "----",
    "...",
    "(x+y)*z",
    "<unk>",
    "</s>",
];

impl Random {
    /// Below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Up to 14 pieces: words, white space, `more` (such as special tokens), odd characters and runs out of all scripts.
    pub fn text(&mut self, more: &[String]) -> String {
        let mut text = String::new();
        for _ in 0..self.below(15) {
            match self.below(20) {
                0..8 => text += WORDS[self.below(WORDS.len())],
                8..11 => text.extend(std::iter::repeat_n(self.one(WHITE), self.one(&[1, 1, 1, 2, 4]))),
                11 if !more.is_empty() => text.push_str(&more[self.below(more.len())]),
                12 => text.push(self.one(ODD)),
                13 => text.extend(char::from_u32(self.below(0x11_0000) as u32)),
                _ => {
                    let (first, last) = self.one(BLOCKS);
                    let in_block =
                        |random: &mut Random| first + random.below((last - first + 1) as usize) as u32;
                    (0..=self.below(4)).for_each(|_| text.extend(char::from_u32(in_block(self))));
                }
            }
            if self.below(2) == 0 {
                text.push(' ');
            }
        }
        text
    }
}
