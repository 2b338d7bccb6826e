//! Sessions of a model whose requests name adapters: texts that were shaped otherwise share nothing.

use intab::run::{GenerateOptions, WhenFull};
use pollster::block_on;

use super::{generate, greedy, requests::IDS, requests::on_both};

#[test]
fn sessions_keep_apart_what_adapters_shaped() {
    on_both("qwen3", &["patterns"], |engine, uses| {
        let [own, adapted] = [&[], uses].map(|uses| generate(engine, &IDS, greedy(6, uses)).tokens);
        let [plain, shaped] = [(); 2].map(|()| engine.open_session().unwrap());
        for turn in 0..3 {
            for (session, uses, expected) in [(plain, &[][..], &own), (shaped, uses, &adapted)] {
                let options = GenerateOptions { session: Some(session), ..greedy(6, uses) };
                let output = generate(engine, &IDS, options);
                assert_eq!(output.tokens, *expected, "turn {turn}");
                assert!(turn == 0 || output.usage.cached == IDS.len() - 1, "turn {turn}: {:?}", output.usage);
            }
        }
        // What the adapter shaped goes with it, and its session is a text without keys and values.
        engine.unload_adapter(uses[0].adapter).unwrap();
        let bytes = block_on(engine.save_session(shaped, &IDS, "")).unwrap();
        let (restored, saved) = engine.restore_session(&bytes).unwrap();
        assert_eq!(saved.tokens, IDS);
        let options = |session| GenerateOptions { session: Some(session), ..greedy(6, &[]) };
        assert_eq!(generate(engine, &IDS, options(restored)).tokens, own);
        assert_eq!(generate(engine, &IDS, options(plain)).tokens, own);
    });
}

#[test]
fn a_shifted_text_keeps_its_soft_prompt() {
    on_both("gpt2", &["prompt"], |engine, uses| {
        let keep = 2;
        let n = 2 * engine.facts().n_ctx;
        // By the device, and by the host, which looks at the whole text.
        for no_repeat_ngram_size in [0, n] {
            let options =
                |n, when_full| GenerateOptions { when_full, no_repeat_ngram_size, ..greedy(n, uses) };
            let found = generate(engine, &IDS, options(n, WhenFull::Shift { keep })).tokens;
            assert_eq!(found.len(), n);
            let (mut text, mut expected) = (IDS.to_vec(), Vec::<u32>::new());
            while expected.len() < n {
                let part = generate(engine, &text, options(n - expected.len(), WhenFull::Stop)).tokens;
                expected.extend(&part);
                text.extend(&part);
                let rest = text.len() - keep;
                text.drain(keep..keep + rest.div_ceil(2));
            }
            assert_eq!(found, expected);
        }
        let all = GenerateOptions { when_full: WhenFull::Shift { keep: usize::MAX }, ..greedy(n, uses) };
        assert_eq!(generate(engine, &IDS, all).tokens.len(), n);
    });
}
