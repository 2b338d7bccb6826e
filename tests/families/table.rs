//! The README's table of what passed.

use std::{collections::BTreeMap, fmt::Write};

use intab::run::Prefer;

use super::{Form, common, outcomes};

const BEGIN: &str = "<!-- families: written by the test `the_readme_has_the_table_of_what_passed` -->\n";
const END: &str = "<!-- families end -->\n";

/// A row for each family of the repository's own models: how many passed, in both forms on both backends.
fn table() -> Option<String> {
    let mut counts: BTreeMap<(&str, &str), [usize; 4]> = BTreeMap::new();
    for (gpu, prefer) in [(0, Prefer::Cpu), (1, Prefer::Gpu)] {
        for outcome in outcomes(prefer)? {
            let model = outcome.model;
            if model.is_ours && outcome.result.is_ok() {
                let row = counts.entry((&model.kind, &model.family)).or_default();
                row[gpu + if model.form == Form::Gguf { 0 } else { 2 }] += 1;
            }
        }
    }
    let mut table =
        String::from("| | family | GGUF, CPU | GGUF, GPU | safetensors, CPU | safetensors, GPU |\n");
    table += "|---|---|---|---|---|---|\n";
    let mut last = "";
    for ((kind, family), row) in counts {
        let shown = if kind == last { "" } else { kind };
        let cells = row.map(|n| if n == 0 { "–".to_owned() } else { n.to_string() });
        // Writing to a String does not fail.
        let _ = writeln!(table, "| {shown} | {family} | {} |", cells.join(" | "));
        last = kind;
    }
    Some(table)
}

/// With `INTAB_WRITE_TABLE` set it writes the table instead.
#[test]
fn the_readme_has_the_table_of_what_passed() {
    let Some(table) = table() else { return };
    let path = common::repo("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the README marks where the table begins");
    let (old, after) = rest.split_once(END).expect("the README marks where the table ends");
    if std::env::var_os("INTAB_WRITE_TABLE").is_some() {
        std::fs::write(&path, [before, BEGIN, &table, END, after].concat()).unwrap();
        return;
    }
    assert!(
        old == table,
        "the README's table is not what passed; write it with INTAB_WRITE_TABLE=1:\n{table}"
    );
}
