// The table behind a configuration: strict reading, errors, writing, help.
#include "train/fields.h"

#include "tests/support/support.h"

namespace mini::train {
namespace {

enum class Kind { first, second };

struct Example {
  double lr = 2e-4;
  std::int64_t steps = 10, scale = 2;
  int workers = 1;
  bool flip = true;
  std::string name = "sain";
  Kind kind = Kind::first;
  std::filesystem::path folder;
  std::vector<std::filesystem::path> folders;
  std::vector<std::int64_t> milestones{1, 2};
  std::vector<int> qualities{75};
  std::vector<double> weights;

  std::vector<Field> fields() {
    return {
        {"name", &name, "any name"},
        {"train.lr", &lr, "learning rate", more_than(0, 1)},
        {"train.steps", &steps, "steps", at_least(1)},
        {"train.schedule.kind", choice(&kind), "the kind", {}, {"first", "second"}},
        {"train.schedule.milestones", &milestones, "steps at which it changes", at_least(0)},
        {"train.schedule.weights", &weights, "weights"},
        {"data.scale", &scale, "scale", {}, {"2", "4"}},
        {"data.workers", &workers, "threads", between(0, 64)},
        {"data.flip", &flip, "mirror images"},
        {"data.folder", &folder, "a folder"},
        {"data.folders", &folders, "folders"},
        {"qualities", &qualities, "qualities", between(1, 100)},
    };
  }
  void read(const std::string& text) { read_fields(fields(), text, "x.json", "/base/dir"); }
  void set(const std::string& assignment) { set_field(fields(), assignment, "/place"); }
};

std::string error_in(const std::string& text) {
  return test::error_of([&] { Example().read(text); });
}

TEST(Fields, ReadsEveryKind) {
  Example e;
  e.read(R"(// comments are allowed
  {"name": "irn", "train": {"lr": 1, "steps": 5e5, /* here too */
    "schedule": {"kind": "second", "milestones": [3, 4], "weights": 0.5}},
   "data": {"scale": 4, "workers": 3, "flip": false, "folder": "../pictures",
            "folders": ["/absolute", "here"]}, "qualities": "30..33"})");
  EXPECT_EQ(e.name, "irn");
  EXPECT_EQ(e.lr, 1);
  EXPECT_EQ(e.steps, 500'000);
  EXPECT_EQ(e.kind, Kind::second);
  EXPECT_EQ(e.milestones, (std::vector<std::int64_t>{3, 4}));
  EXPECT_EQ(e.weights, std::vector<double>{0.5});
  EXPECT_EQ(e.scale, 4);
  EXPECT_EQ(e.workers, 3);
  EXPECT_FALSE(e.flip);
  EXPECT_EQ(e.folder, "/base/pictures");
  EXPECT_EQ(e.folders, (std::vector<std::filesystem::path>{"/absolute", "/base/dir/here"}));
  EXPECT_EQ(e.qualities, (std::vector<int>{30, 31, 32, 33}));
}

TEST(Fields, UnknownKeyNamesTheNearest) {
  EXPECT_EQ(error_in(R"({"train": {"lrr": 1}})"),
            "x.json: unknown key train.lrr; did you mean train.lr?");
  EXPECT_EQ(error_in(R"({"trian": {"lr": 1}})"), "x.json: unknown key trian; did you mean train?");
  EXPECT_EQ(error_in(R"({"milestones": 1})"),
            "x.json: unknown key milestones; did you mean train.schedule.milestones?");
}

TEST(Fields, WrongValuesNameThePath) {
  EXPECT_EQ(error_in(R"({"train": {"lr": -1}})"), "x.json: train.lr: must be in (0, 1], got -1");
  EXPECT_EQ(error_in(R"({"train": {"lr": 0}})"), "x.json: train.lr: must be in (0, 1], got 0");
  EXPECT_EQ(error_in(R"({"train": {"lr": "fast"}})"),
            "x.json: train.lr: must be a number, got \"fast\"");
  EXPECT_EQ(error_in(R"({"train": {"steps": 0}})"),
            "x.json: train.steps: must be at least 1, got 0");
  EXPECT_EQ(error_in(R"({"train": {"steps": 1.5}})"),
            "x.json: train.steps: must be a whole number, got 1.5");
  EXPECT_EQ(error_in(R"({"train": 3})"), "x.json: train: must be an object {...}, got 3");
  EXPECT_EQ(error_in("[]"), "x.json: the config: must be an object {...}, got []");
  EXPECT_EQ(error_in(R"({"data": {"scale": 3}})"), "x.json: data.scale: must be 2 or 4, got 3");
  EXPECT_EQ(error_in(R"({"data": {"flip": 1}})"),
            "x.json: data.flip: must be true or false, got 1");
  EXPECT_EQ(error_in(R"({"data": {"workers": 1e12}})"),
            "x.json: data.workers: must be in [0, 64], got 1000000000000.0");
  EXPECT_EQ(error_in(R"({"train": {"schedule": {"kind": "third"}}})"),
            R"(x.json: train.schedule.kind: must be "first" or "second", got "third")");
  EXPECT_EQ(error_in(R"({"qualities": [50, 101]})"),
            "x.json: qualities: must be in [1, 100], got 101");
  EXPECT_EQ(error_in(R"({"qualities": "90..30"})"),
            R"(x.json: qualities: must be "first..last" in order, got "90..30")");
}

TEST(Fields, RefusesBrokenText) {
  EXPECT_EQ(error_in(R"({"train": {"lr": 1, "lr": 2}})"),
            R"(x.json: key "lr" appears twice in one object)");
  EXPECT_NE(error_in("{\"name\": \n oops}").find("x.json: parse error at line 2"),
            std::string::npos);
  EXPECT_NE(error_in("").find("x.json: "), std::string::npos);
  EXPECT_NE(error_in(R"({"train": {"lr": 1e999}})").find("x.json: "), std::string::npos);
  EXPECT_EQ(error_in(R"({"train": {"lr": )" + std::string(100'000, '[')),
            "x.json: nested deeper than 32 levels");
}

TEST(Fields, RefusesTextAfterAZeroByte) {
  using namespace std::string_literals;
  EXPECT_EQ(error_in("{}\0 {\"train\": 3}"s), "x.json: a zero byte at place 2, which no JSON has");
}

// A configuration may be a megabyte, and none takes longer than a moment.
TEST(Fields, AMegabyteIsReadOrRefusedAtOnce) {
  std::string lists = "[[]", objects = "{\"0\":{}";
  for (int i = 1; i < 300'000; ++i) lists += ",[]";
  for (int i = 1; i < 80'000; ++i) objects += concat_text(",\"", i, "\":{}");
  const double start = test::cpu_seconds();
  for (const std::string& text :
       {"{\"qualities\": " + lists + "]}", objects + "}", "{\"data\": " + objects + "}}",
        "{\"" + std::string(1'000'000, 'x') + "\": 1}",
        "{\"name\": [\"" + std::string(1'000'000, 'x') + "\"]}"})
    EXPECT_LT(error_in(text).size(), 1000U);
  EXPECT_LT(test::cpu_seconds() - start, 5 * test::time_factor);
}

TEST(Fields, SetTakesJsonOrText) {
  Example e;
  e.set("train.lr=1e-3");
  e.set("name=plain text");
  e.set("data.folders=[\"a\",\"b\"]");
  e.set("train.schedule={\"kind\":\"second\"}");
  EXPECT_EQ(e.lr, 1e-3);
  EXPECT_EQ(e.name, "plain text");
  EXPECT_EQ(e.folders, (std::vector<std::filesystem::path>{"/place/a", "/place/b"}));
  EXPECT_EQ(e.kind, Kind::second);
  EXPECT_EQ(test::error_of([&] { e.set("train.rl=1"); }),
            "--set train.rl=1: unknown key train.rl; did you mean train.lr?");
  EXPECT_EQ(test::error_of([&] { e.set("train.lr"); }),
            "--set train.lr: must be key=value, for instance train.lr=1e-4");
}

TEST(Fields, WhatIsWrittenReadsBack) {
  Example e;
  e.lr = 0.1 + 0.2;
  e.kind = Kind::second;
  e.folder = "/some/where";
  e.name = "a \"quoted\" name";
  for (const Comments comments : {Comments::none, Comments::help}) {
    const std::string text = write_fields(e.fields(), comments);
    Example back;
    back.read(text);
    EXPECT_EQ(write_fields(back.fields(), comments), text);
    EXPECT_EQ(back.lr, e.lr);
    EXPECT_EQ(back.name, e.name);
  }
}

TEST(Fields, HelpStandsAboveEachField) {
  Example e;
  EXPECT_EQ(
      write_fields(std::vector<Field>{e.fields()[0], e.fields()[1], e.fields()[3]}, Comments::help),
      R"({
  // any name
  "name": "sain",
  "train": {
    // learning rate; in (0, 1]
    "lr": 0.0002,
    "schedule": {
      // the kind; "first" or "second"
      "kind": "first"
    }
  }
}
)");
}

}  // namespace
}  // namespace mini::train
