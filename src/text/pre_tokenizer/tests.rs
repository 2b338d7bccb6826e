use super::*;

/// The pieces, spaces and all, with bars between them.
fn pieces(steps: &[PreTokenizer], text: &str) -> String {
    let mut pieces = Pieces::new(Aligned::new(text, 0));
    steps.iter().for_each(|step| step.apply(&mut pieces).unwrap());
    pieces.ranges.iter().map(|(start, end)| &pieces.text.text()[*start..*end]).collect::<Vec<_>>().join("|")
}

fn metaspace(prepend: PrependScheme, splits: bool) -> PreTokenizer {
    PreTokenizer::Metaspace { replacement: '▁', prepend, splits }
}

#[test]
fn bert_cuts_at_white_space_and_around_punctuation() {
    assert_eq!(pieces(&[PreTokenizer::Bert], " Hey, you!\u{3000}$5 «a»"), "Hey|,|you|!|$|5|«|a|»");
    assert_eq!(pieces(&[PreTokenizer::Bert], " \n"), "");
}

#[test]
fn bytes_are_spelled_after_the_words_are_cut() {
    let words = Some(Regex::new(GPT2).unwrap());
    let byte_level = PreTokenizer::ByteLevel { adds_prefix_space: true, words };
    assert_eq!(pieces(&[byte_level], "é b"), "ĠÃ©|Ġb");
}

#[test]
fn spaces_are_marked_and_lead_their_words() {
    assert_eq!(pieces(&[metaspace(PrependScheme::Always, true)], "a  b"), "▁a|▁|▁b");
    assert_eq!(pieces(&[metaspace(PrependScheme::Never, false)], "a b"), "a▁b");
    let split = PreTokenizer::WhitespaceSplit;
    assert_eq!(pieces(&[split, metaspace(PrependScheme::First, true)], "a b"), "▁a|b");
}

#[test]
fn digits_delimiters_and_lengths_cut_as_they_say() {
    assert_eq!(pieces(&[PreTokenizer::Digits { individual: true }], "a12b½"), "a|1|2|b|½");
    assert_eq!(pieces(&[PreTokenizer::Digits { individual: false }], "a12b"), "a|12|b");
    assert_eq!(pieces(&[PreTokenizer::Delimiter('-')], "a--b"), "a|b");
    assert_eq!(pieces(&[PreTokenizer::FixedLength(2)], "aébcd"), "aé|bc|d");
    assert_eq!(pieces(&[PreTokenizer::Punctuation(Behavior::Contiguous)], "a!?b"), "a|!?|b");
    assert_eq!(pieces(&[PreTokenizer::Whitespace(Regex::whitespace_words())], "a²b, c"), "a|²|b|,|c");
}

#[test]
fn a_split_keeps_or_drops_what_matches() {
    let split =
        |behavior, inverts| PreTokenizer::Split { pattern: Pattern::Text("x".into()), behavior, inverts };
    assert_eq!(pieces(&[split(Behavior::Removed, false)], "axxb"), "a|b");
    assert_eq!(pieces(&[split(Behavior::Removed, true)], "axxb"), "x|x");
}
