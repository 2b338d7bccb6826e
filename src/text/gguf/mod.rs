//! Tokenizers out of the metadata of GGUF files (`tokenizer.ggml.*`).

mod pre;

use self::pre::Rules;
use super::{
    added::{AddedToken, AddedTokens},
    frame::Frame,
    model::{Bpe, MergeList, Model, NONE, SentencePiece, Spelling, Unigram, WholeWords, WordPiece, sides},
    normalizer::{Charsmap, Normalizer, SPACE, Spaces},
    pattern::Pattern,
    pre_tokenizer::PreTokenizer,
    tokenizer::{Decoder, Parts, Roles, Tokenizer},
    vocab::{TokenKind, Vocab},
};
use crate::{
    error::{Error, Result},
    format::metadata::Metadata,
};

/// BERT's limit on the characters of a word, which GGUF files do not store.
const MOST_CHARS_OF_A_WORD: usize = 100;

impl Tokenizer {
    /// Reads the tokenizer out of a GGUF file's metadata.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if there is none, [`Error::Unsupported`] for a kind or a pre-tokenizer that is not
    /// known, [`Error::Format`] where lists, ids or merges do not fit each other.
    pub fn from_metadata(metadata: &Metadata) -> Result<Tokenizer> {
        let vocab = Vocab::read(metadata)?;
        let file = File { metadata, name: metadata.str("tokenizer.ggml.model")?, vocab: &vocab };
        let roles = file.roles()?;
        let read = match file.name {
            "gpt2" | "gemma4" | "whitespace" => file.bpe(&roles)?,
            "llama" => file.sentencepiece(&roles)?,
            "t5" => file.unigram(&roles)?,
            "bert" => file.wordpiece(&roles)?,
            other => {
                let hint = "this version reads `gpt2`, `gemma4`, `whitespace` (BPE), `llama` (SentencePiece BPE), `t5` (Unigram) and `bert` (WordPiece)";
                return Err(Error::unsupported("tokenizer", other, hint));
            }
        };
        let frame = file.frame(&roles, &read)?;
        let added = AddedTokens::new(file.added(&roles, &read)?);
        let eom = vocab.role(metadata, "eom")?;
        let Read { normalizers, pre_tokenizers, model, decoder, .. } = read;
        Ok(Tokenizer::new(Parts {
            vocab,
            added,
            normalizers,
            pre_tokenizers,
            model,
            frame,
            decoder,
            roles,
            eom,
        }))
    }
}

struct File<'a> {
    metadata: &'a Metadata,
    /// `tokenizer.ggml.model`.
    name: &'a str,
    vocab: &'a Vocab,
}

/// What each kind of tokenizer has of its own.
struct Read {
    normalizers: Vec<Normalizer>,
    pre_tokenizers: Vec<PreTokenizer>,
    model: Model,
    decoder: Decoder,
    /// What holds where the file does not say.
    adds_bos: bool,
    adds_eos: bool,
    adds_sep: bool,
}

impl File<'_> {
    fn role(&self, role: &str, usual: &[&str]) -> Result<Option<u32>> {
        let named = || usual.iter().find_map(|name| self.vocab.find(name));
        Ok(self.vocab.role(self.metadata, role)?.or_else(named))
    }

    /// Where the file does not name a token, the usual names of its kind tell.
    fn roles(&self) -> Result<Roles> {
        let usual: [&[&str]; 7] = match self.name {
            "llama" => [&["<s>"], &["</s>"], &["<unk>"], &[], &[], &[], &[]],
            "t5" => [&[], &["</s>"], &["<unk>"], &["<pad>"], &[], &[], &["<mask>"]],
            "bert" => [&[], &[], &["[UNK]"], &["[PAD]"], &["[CLS]"], &["[SEP]"], &["[MASK]"]],
            _ => [&[]; 7],
        };
        let mut roles = Roles {
            bos: self.role("bos", usual[0])?,
            eos: self.role("eos", usual[1])?,
            eot: self.vocab.role(self.metadata, "eot")?,
            unknown: self.role("unknown", usual[2])?,
            padding: self.role("padding", usual[3])?,
            cls: self.vocab.role(self.metadata, "cls")?,
            // The key is spelled so.
            sep: self.vocab.role(self.metadata, "seperator")?,
            mask: self.role("mask", usual[6])?,
        };
        if self.name == "bert" {
            roles.cls = roles.cls.or(roles.bos).or(self.role("cls", usual[4])?);
            roles.sep = roles.sep.or(roles.eos).or(self.role("seperator", usual[5])?);
        }
        Ok(roles)
    }

    fn flag(&self, key: &str) -> Result<Option<bool>> {
        self.metadata.opt_bool(&format!("tokenizer.ggml.{key}"))
    }

    /// The name of the pre-tokenizer.
    fn pre(&self) -> Result<&str> {
        match self.name {
            "gemma4" => Ok("gemma4"),
            _ => Ok(self.metadata.opt_str("tokenizer.ggml.pre")?.unwrap_or("default")),
        }
    }

    fn scores(&self) -> Result<&[f32]> {
        const KEY: &str = "tokenizer.ggml.scores";
        let missing = || self.metadata.error(KEY, "the key is missing");
        let scores = self.metadata.opt_floats(KEY)?.ok_or_else(missing)?;
        scores.get(..self.vocab.len()).ok_or_else(|| {
            let problem = format!("{} scores for {} tokens", scores.len(), self.vocab.len());
            self.metadata.error(KEY, problem)
        })
    }

    fn bpe(&self, roles: &Roles) -> Result<Read> {
        const KEY: &str = "tokenizer.ggml.merges";
        let is_whitespace = self.name == "whitespace" || self.pre()? == "whitespace";
        let rules = if is_whitespace { Rules::default() } else { Rules::named(self.pre()?)? };
        let missing = || self.metadata.error(KEY, "the key is missing");
        let texts = self.metadata.opt_strings(KEY)?.ok_or_else(missing)?;
        let merges = MergeList::new(self.vocab, texts.iter().map(sides), "", false);
        let merges = merges.map_err(|problem| self.metadata.error(KEY, problem))?;
        let in_bytes = !rules.spells_spaces && !is_whitespace;
        let spelling = Spelling {
            whole_words: match rules {
                Rules { ignores_merges: true, .. } => WholeWords::All,
                Rules { keeps_newlines: true, .. } => WholeWords::Newlines,
                _ => WholeWords::None,
            },
            bytes: (!in_bytes).then(|| self.vocab.byte_tokens()),
            unknown: roles.unknown.filter(|_| !in_bytes).map(Ok),
            ..Spelling::default()
        };
        let mut normalizers = Vec::new();
        let mut pre_tokenizers = rules.steps()?;
        if rules.spells_spaces {
            let pattern = Pattern::Text(" ".into());
            normalizers.push(Normalizer::Replace { pattern, content: SPACE.into() });
        } else if is_whitespace {
            let lowercases = self.flag("normalizer.lowercase")?.unwrap_or(false);
            normalizers.extend(lowercases.then_some(Normalizer::Lowercase));
            pre_tokenizers.push(PreTokenizer::WhitespaceSplit);
        } else {
            pre_tokenizers.push(PreTokenizer::ByteLevel { adds_prefix_space: false, words: None });
        }
        Ok(Read {
            normalizers,
            pre_tokenizers,
            model: Model::Bpe(Bpe::new(self.vocab, merges, spelling)),
            decoder: if in_bytes { Decoder::Alphabet } else { Decoder::Spaces { first_is_added: false } },
            adds_bos: rules.adds_bos,
            adds_eos: false,
            adds_sep: rules.adds_sep,
        })
    }

    fn sentencepiece(&self, roles: &Roles) -> Result<Read> {
        let bytes = self.vocab.byte_tokens();
        let model = SentencePiece::new(self.vocab, self.scores()?, bytes, roles.unknown);
        let spaces = Spaces {
            adds_prefix: self.flag("add_space_prefix")?.unwrap_or(true),
            collapses: self.flag("remove_extra_whitespaces")?.unwrap_or(false),
            charsmap: None,
        };
        Ok(Read {
            decoder: Decoder::Spaces { first_is_added: spaces.adds_prefix },
            normalizers: vec![Normalizer::Spaces(spaces)],
            pre_tokenizers: Vec::new(),
            model: Model::SentencePiece(model),
            adds_bos: true,
            adds_eos: false,
            adds_sep: false,
        })
    }

    fn unigram(&self, roles: &Roles) -> Result<Read> {
        const CHARSMAP: &str = "tokenizer.ggml.precompiled_charsmap";
        use TokenKind::{Normal, Unused, UserDefined};
        let scores = self.scores()?;
        let score = |id: u32, kind| if kind == UserDefined { 0.0 } else { f64::from(scores[id as usize]) };
        let normal = self.vocab.iter().filter(|(.., kind)| *kind == Normal);
        let lowest = normal.map(|(id, ..)| score(id, Normal)).fold(f64::INFINITY, f64::min);
        let order = self.vocab.prefixes(|kind| matches!(kind, Normal | UserDefined | Unused));
        let bytes = Some(self.vocab.byte_tokens()).filter(|bytes| !bytes.contains(&NONE));
        let scores = self.vocab.iter().map(|(id, _, kind)| score(id, kind)).collect();
        let spaces = Spaces {
            adds_prefix: self.flag("add_space_prefix")?.unwrap_or(true),
            collapses: self.flag("remove_extra_whitespaces")?.unwrap_or(true),
            charsmap: match self.metadata.opt_bytes(CHARSMAP)?.filter(|bytes| !bytes.is_empty()) {
                Some(bytes) => Some(Charsmap::new(&bytes)?),
                None => None,
            },
        };
        Ok(Read {
            decoder: Decoder::Spaces { first_is_added: spaces.adds_prefix },
            normalizers: vec![Normalizer::Spaces(spaces)],
            pre_tokenizers: Vec::new(),
            model: Model::Unigram(Unigram::new(order, scores, lowest, roles.unknown, bytes)),
            adds_bos: false,
            adds_eos: true,
            adds_sep: true,
        })
    }

    fn wordpiece(&self, roles: &Roles) -> Result<Read> {
        let lowercases = self.flag("normalizer.lowercase")?.unwrap_or(true);
        let strips_accents = self.flag("normalizer.strip_accents")?.unwrap_or(lowercases);
        use TokenKind::{Normal, Unused, UserDefined};
        let model = WordPiece {
            prefixes: self.vocab.prefixes(|kind| matches!(kind, Normal | UserDefined | Unused)),
            unknown: roles.unknown,
            beginning: SPACE.into(),
            continuing: String::new(),
            most_chars: MOST_CHARS_OF_A_WORD,
        };
        Ok(Read {
            normalizers: vec![Normalizer::Bert {
                cleans: true,
                spaces_ideographs: true,
                strips_accents,
                lowercases,
            }],
            pre_tokenizers: vec![PreTokenizer::Bert],
            model: Model::WordPiece(model),
            decoder: Decoder::Spaces { first_is_added: true },
            adds_bos: true,
            adds_eos: true,
            adds_sep: true,
        })
    }

    /// The tokens around a text.
    fn frame(&self, roles: &Roles, read: &Read) -> Result<Frame> {
        let (cls, sep) = (roles.cls.or(roles.bos), roles.sep.or(roles.eos));
        if self.name == "bert" {
            let missing = |role| {
                let problem = format!("the file names no {role} token, which stands around every text");
                Error::Tokenizer { problem }
            };
            return Ok(Frame::bert(
                cls.ok_or_else(|| missing("[CLS]"))?,
                sep.ok_or_else(|| missing("[SEP]"))?,
            ));
        }
        // Files of Gemma 4 say that there is no BOS, and are wrong.
        let is_gemma4 = self.pre()? == "gemma4";
        let adds_bos = self.flag("add_bos_token")?.filter(|_| !is_gemma4).unwrap_or(read.adds_bos);
        let bos = roles.bos.filter(|_| adds_bos);
        let adds_eos = self.flag("add_eos_token")?.unwrap_or(read.adds_eos);
        let eos = roles.eos.filter(|_| adds_eos);
        Ok(match (bos, eos) {
            (Some(bos), Some(eos))
                if self.name == "t5" || self.flag("add_sep_token")?.unwrap_or(read.adds_sep) =>
            {
                Frame::roberta(bos, eos)
            }
            _ => Frame::each_text(bos, eos),
        })
    }

    /// The tokens that are whole texts of their own: those of special kinds, and those with a role.
    fn added(&self, roles: &Roles, read: &Read) -> Result<Vec<AddedToken>> {
        let is_phi3 = self.metadata.opt_str("general.architecture")? == Some("phi3");
        let strips_after = |text: &str| {
            // Phi-3 was trained on tokens that strip what follows them, all but these.
            is_phi3 && self.name == "llama" && !matches!(text, "<unk>" | "<s>" | "<|endoftext|>")
        };
        // A mask takes the space before it, so that it stands for a whole word.
        let masks_words = read.adds_sep && self.name != "bert" || self.pre()? == "modern-bert";
        let framing = [roles.cls, roles.sep, roles.mask].map(|role| role.filter(|_| self.name == "bert"));
        let mut added = Vec::new();
        for (id, text, kind) in self.vocab.iter() {
            let special =
                matches!(kind, TokenKind::Control | TokenKind::Unknown) || framing.contains(&Some(id));
            if special || kind == TokenKind::UserDefined {
                added.push(AddedToken {
                    id,
                    content: text.to_owned(),
                    special,
                    normalized: false,
                    lstrip: masks_words && matches!(text, "<mask>" | "[MASK]"),
                    rstrip: strips_after(text),
                    single_word: false,
                });
            }
        }
        Ok(added)
    }
}
