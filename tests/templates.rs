//! Chat templates of real models, against what `transformers` renders.

mod common;

use std::{fs, time::Instant};

use intab::{Error, text::ChatTemplate};
use serde_json::{Map, Value, json};

/// 26 July 2024, which is what `strftime_now` told when the references were made.
const NOW: i64 = 1_721_952_000;

#[test]
fn real_templates_render_as_in_transformers() {
    let Some(folder) = common::shared("templates") else { return };
    let (mut passed, mut failed) = (0, Vec::new());
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "jinja") {
            continue;
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let template = ChatTemplate::new(&fs::read_to_string(&path).unwrap()).unwrap();
        let reference: Value =
            serde_json::from_str(&fs::read_to_string(path.with_extension("json")).unwrap()).unwrap();
        for (case, expected) in reference["cases"].as_object().unwrap() {
            let mut variables: Map<String, Value> = expected.as_object().unwrap().clone();
            variables.retain(|key, _| key != "rendered" && key != "error");
            for key in ["bos_token", "eos_token", "date_string", "strftime_now"] {
                variables.insert(key.into(), reference[key].clone());
            }
            let rendered = template.render(variables, NOW);
            let agrees = match &expected["rendered"] {
                Value::String(text) => rendered.as_ref() == Ok(text),
                _ => refusal_agrees(&rendered, expected["error"].as_str().unwrap()),
            };
            if agrees {
                passed += 1;
            } else {
                failed.push(format!("{name} {case}:\n{rendered:?}\n{expected}"));
            }
        }
    }
    assert!(failed.is_empty(), "{passed} agree, these do not:\n{}", failed.join("\n"));
    assert!(passed >= 84, "{passed} cases");
}

/// A template's own words must come through; Python's words about Python's types need not.
fn refusal_agrees(rendered: &Result<String, Error>, expected: &str) -> bool {
    match rendered {
        Err(Error::Template { problem }) => {
            problem.contains(expected) || expected.contains("is not JSON serializable")
        }
        _ => false,
    }
}

fn render(source: &str, variables: Value) -> Result<String, Error> {
    let Value::Object(variables) = variables else { panic!("variables are an object") };
    ChatTemplate::new(source)?.render(variables, NOW)
}

fn problem(result: Result<String, Error>) -> String {
    match result {
        Err(Error::Template { problem }) => problem,
        other => panic!("expected a template error, got {other:?}"),
    }
}

#[test]
fn blocks_are_trimmed_as_transformers_trims_them() {
    let source = "  {% for x in [1, 2] %}\n{{ x }}\n  {% endfor %}\nend\n";
    assert_eq!(render(source, json!({})).unwrap(), "1\n2\nend");
}

#[test]
fn loops_can_break_and_go_on() {
    let source = "{% for x in range(9) %}{% if x == 1 %}{% continue %}{% elif x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}";
    assert_eq!(render(source, json!({})).unwrap(), "023");
}

#[test]
fn json_is_spaced_as_in_python_and_not_escaped_for_html() {
    let value = json!({ "b": [1, 2.5, 1e20, null, true], "a": "<é'&\"\u{1}\n>", "empty": [{}, []] });
    let with = |filter: &str| render(&format!("{{{{ v | {filter} }}}}"), json!({ "v": value })).unwrap();
    assert_eq!(
        with("tojson"),
        r#"{"b": [1, 2.5, 1e+20, null, true], "a": "<é'&\"\u0001\n>", "empty": [{}, []]}"#
    );
    assert_eq!(with("tojson(ensure_ascii=true)").matches(r"\u00e9").count(), 1);
    assert!(with("tojson(sort_keys=true)").starts_with(r#"{"a": "#));
    assert!(with("tojson(separators=(',', ':'))").starts_with(r#"{"b":[1,2.5,"#));
    let indented = render("{{ v | tojson(indent=2) }}", json!({ "v": { "a": [1, {}], "b": [] } })).unwrap();
    assert_eq!(indented, "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}");
}

#[test]
fn values_are_written_as_python_writes_them() {
    let source = "{{ none }} {{ true }} {{ x }} {{ l }} {{ l | string }} {{ missing }}|{{ 2 * 1.5 }}";
    let variables = json!({ "x": 1e-7, "l": ["it's", { "k": [null, "é\n"] }] });
    let list = r#"["it's", {'k': [None, 'é\n']}]"#;
    assert_eq!(render(source, variables).unwrap(), format!("None True 1e-07 {list} {list} |3.0"));
}

#[test]
fn pythons_methods_work() {
    let source = "{{ ' a b '.strip().split(' ')[-1].upper() }}{{ 'x'.startswith('x') }}{{ {'k': 1}.get('z', 2) }}{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}";
    assert_eq!(render(source, json!({})).unwrap(), "BTrue2a1");
}

#[test]
fn training_marks_are_only_a_block() {
    let source = "{%- for m in [1] -%}\n {%- generation -%} {{ m }} {%- endgeneration -%} \n{%- endfor -%}{{ generation }}";
    assert_eq!(render(source, json!({ "generation": "g" })).unwrap(), "1g");
}

#[test]
fn the_date_is_the_callers() {
    let source = "{{ strftime_now('%d %b %Y') }}";
    assert_eq!(render(source, json!({})).unwrap(), "26 Jul 2024");
    assert_eq!(render(source, json!({ "strftime_now": "today" })).unwrap(), "today");
}

#[test]
fn a_refusal_comes_through_in_the_templates_words() {
    let source = "{{ raise_exception('Only user and assistant roles are supported!') }}";
    assert!(problem(render(source, json!({}))).starts_with("Only user and assistant roles are supported!"));
}

#[test]
fn what_is_no_jinja_names_the_line() {
    assert!(problem(render("a\n{% if %}", json!({}))).contains("line 2"));
    assert!(problem(render("{{ 'x' | nosuchfilter }}", json!({}))).contains("nosuchfilter"));
    assert!(problem(render(&"a".repeat(2 << 20), json!({}))).contains("too many"));
}

#[test]
fn hostile_templates_run_out_of_fuel() {
    for source in [
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(64) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
        "{{ 'a' * 10000000000 }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for i in range(100000) %}{{ 'aaaaaaaaaaaaaaaa' * 100000 }}{% endfor %}",
        "{% set l = namespace(x=[0]) %}{% for i in range(40) %}{% set l.x = [l.x, l.x] %}{% endfor %}{{ l.x }}",
        "{% set l = namespace(x=[0]) %}{% for i in range(40) %}{% set l.x = [l.x, l.x] %}{% endfor %}{{ l.x | tojson }}",
        "{% set l = namespace(x=[0]) %}{% for i in range(5000) %}{% set l.x = [l.x] %}{% endfor %}{{ l.x | tojson }}{{ l.x }}",
    ] {
        let start = Instant::now();
        let problem = problem(render(source, json!({})));
        assert!(start.elapsed().as_secs() < 20, "{source}: {problem} after {:?}", start.elapsed());
    }
}

#[test]
fn a_value_that_grows_without_end_or_holds_itself_is_an_error() {
    let deep = |grow: &str| {
        format!(
            "{{% set n = namespace(x=[0]) %}}{{% for i in range(600) %}}{{% for j in range(600) %}}{grow}{{% endfor %}}{{% endfor %}}"
        )
    };
    for (source, expected) in [
        (deep("{% set n.x = [n.x] %}"), "64 levels"),
        (deep("{% set n.x = {'a': n.x} %}"), "64 levels"),
        (deep("{% set n.x = [n.x] | map('list') %}"), "64 levels"),
        (deep("{% set n.x = namespace(x=n.x) %}"), "a namespace is kept in a namespace"),
        (format!("{{% set x = [0] %}}{}", "{% set x = [x] %}".repeat(50_000)), "64 levels"),
        ("{% macro f(x) %}{{ f([[[[[[[x]]]]]]]) }}{% endmacro %}{{ f(1) }}".into(), "64 levels"),
        ("{% for x in [1] recursive %}{{ loop([[[[[[[x]]]]]]]) }}{% endfor %}".into(), "64 levels"),
        ("{% set n = namespace() %}{% set n.a = n %}{{ n ~ 'x' }}".into(), "a namespace is kept in a namespace"),
        ("{% set n = namespace() %}{% set n.a = [{'k': n}] %}{{ n | pprint }}".into(), "a namespace is kept"),
        (
            "{% set n = namespace(x=[0]) %}{% for i in range(40) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x == [1] }}".into(),
            "runs too long",
        ),
    ] {
        let problem = problem(render(&source, json!({})));
        assert!(problem.contains(expected), "{}: {problem}", &source[..60]);
    }
}

#[test]
fn what_templates_keep_stays_as_it_is() {
    let source = "{% set ns = namespace(list=[], f=none) %}{% macro twice(x, y='-') %}{{ x }}{{ y }}{{ x }}{% endmacro %}\
                  {% for m in messages %}{% set ns.list = ns.list + [m.role] %}{% set a, b = m.role, m['content'] %}\
                  {{ twice(a) }}{{ twice(b, y=1) }};{% endfor %}{% set other = ns %}{{ other.list }}{% set f = twice %}\
                  {{ f('z') }}{% set none_set = missing %}{{ none_set is defined }}";
    let messages = json!([{ "role": "u", "content": "c" }, { "role": "v", "content": "d" }]);
    let text = render(source, json!({ "messages": messages })).unwrap();
    assert_eq!(text, "u-uc1c;v-vd1d;['u', 'v']z-zFalse");
}

#[test]
fn deep_nesting_is_an_error() {
    for source in [
        format!("{{{{ {}1{} }}}}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("{{{{ {}1 }}}}", "not ".repeat(50_000)),
        format!("{{{{ 1{} }}}}", "+1".repeat(200_000)),
        format!("{{{{ x{} }}}}", ".a".repeat(200_000)),
        format!("{{{{ x{} }}}}", "|trim".repeat(100_000)),
        format!("{{% if 1 %}}{}{{% endif %}}", "{% elif 1 %}".repeat(60_000)),
        format!("{}{}", "{% if 1 %}".repeat(20_000), "{% endif %}".repeat(20_000)),
        format!("{{{{ {}1{} }}}}", "[".repeat(50_000), "]".repeat(50_000)),
    ] {
        problem(render(&source, json!({})));
    }
}

#[test]
fn a_long_chat_has_fuel_enough() {
    let source = "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content | trim }}{% endfor %}";
    let message = json!({ "role": "user", "content": "word ".repeat(200) });
    let text = render(source, json!({ "messages": vec![message; 2000] })).unwrap();
    assert_eq!(text.len(), 2000 * (8 + 999));
}
