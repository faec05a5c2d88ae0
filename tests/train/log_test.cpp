// The log in JSON lines, and the progress line.
#include "train/log.h"

#include <cmath>
#include <sstream>

#include "io/file.h"
#include "tests/support/support.h"
#include "train/means.h"
#include "train/progress.h"

namespace mini::train {
namespace {

std::string content(const std::filesystem::path& path) {
  const io::Bytes bytes = io::read_file(path);
  return std::string(io::as_text(bytes));
}

TEST(JsonLog, OneObjectALine) {
  test::TemporaryFolder folder;
  const auto path = folder.path() / "log.jsonl";
  JsonLog log(path, 0);
  log.write("train", 7, {{"loss", 0.5}, {"images", std::int64_t{3}}, {"note", "a\n\"b\""}});
  EXPECT_EQ(
      content(path),
      "{\"event\":\"train\",\"step\":7,\"loss\":0.5,\"images\":3,\"note\":\"a\\n\\\"b\\\"\"}\n");
  log.write("train", 8, {{"loss", std::nan("")}});
  EXPECT_TRUE(content(path).ends_with("{\"event\":\"train\",\"step\":8,\"loss\":null}\n"));
}

TEST(JsonLog, ResumeRemovesWhatComesLater) {
  test::TemporaryFolder folder;
  const auto path = folder.path() / "log.jsonl";
  {
    JsonLog log(path, 0);
    for (const int step : {10, 20, 30, 40}) log.write("train", step);
  }
  { JsonLog(path, 30).write("train", 31); }
  EXPECT_EQ(content(path),
            "{\"event\":\"train\",\"step\":10}\n{\"event\":\"train\",\"step\":20}\n"
            "{\"event\":\"train\",\"step\":30}\n{\"event\":\"train\",\"step\":31}\n");
}

TEST(JsonLog, ResumeRemovesHowTheRunEndedAndWhatIsDoneAgain) {
  test::TemporaryFolder folder;
  const auto path = folder.path() / "log.jsonl";
  {
    JsonLog log(path, 0);
    log.write("start", 0);
    for (const int step : {10, 20}) {
      log.write("train", step);
      log.write("validation", step);
    }
    log.write("stopped", 20);
  }
  EXPECT_FALSE(JsonLog(path, 20, 10).empty());  // killed before the validation at 20 was saved
  EXPECT_EQ(content(path),
            "{\"event\":\"start\",\"step\":0}\n{\"event\":\"train\",\"step\":10}\n"
            "{\"event\":\"validation\",\"step\":10}\n{\"event\":\"train\",\"step\":20}\n");
  EXPECT_TRUE(JsonLog(path, -1).empty());
}

TEST(Means, AreKeptExactlyInACheckpoint) {
  Means means;
  EXPECT_EQ(means.text(), "");
  means.add({{"loss", 0.1}, {"l \"odd\"", 1.0 / 3}});
  means.add({{"loss", 0.2}, {"new", -3}});
  Means again(means.text());
  EXPECT_EQ(again.text(), means.text());
  means.add({{"loss", 0.7}});
  again.add({{"loss", 0.7}});
  EXPECT_EQ(again.means().front(), means.means().front());
  for (const char* other : {"", "nonsense", "{}", "[1]", "[[\"a\",\"b\",1]]"})
    EXPECT_EQ(Means(other).text(), "") << other;
}

TEST(JsonLog, ResumeRemovesALineCutOff) {
  test::TemporaryFolder folder;
  const auto path = folder.path() / "log.jsonl";
  // The second line is complete JSON, but has no line break; appending would join two lines.
  for (const std::string cut :
       {"{\"event\":\"tr", "{\"event\":\"train\",\"step\":2}", "nonsense\n"}) {
    const std::string whole = "{\"event\":\"train\",\"step\":1}\n";
    io::write_file_atomically(path, whole + cut);
    { JsonLog log(path, 100); }
    EXPECT_EQ(content(path), whole) << cut;
  }
}

TEST(Progress, PlainLinesOnReports) {
  std::ostringstream out;
  Progress progress(out, {}, 0, 100);
  progress.update(10, {{"loss", 0.5}}, false);
  EXPECT_EQ(out.str(), "");
  progress.update(20, {{"loss", 0.5}}, true);
  EXPECT_TRUE(out.str().starts_with("20/100  ")) << out.str();
  EXPECT_NE(out.str().find(" step/s  ETA 0:0"), std::string::npos) << out.str();
  EXPECT_TRUE(out.str().ends_with("  loss 0.5\n")) << out.str();
  EXPECT_EQ(out.str().find('\r'), std::string::npos);
}

TEST(Progress, LiveLineIsDrawnOverAndFits) {
  std::ostringstream out;
  {
    Progress progress(out, {.columns = 60}, 0, 10);
    progress.update(5, {{"a_rather_long_name", 0.5}, {"another_long_name", 2}}, true);
    const std::string line = out.str();
    EXPECT_TRUE(line.starts_with("██████████")) << line;
    // A bar of 20 columns consists of 10 blocks of three bytes and 10 spaces here.
    EXPECT_EQ(line.size(), 59u + 10 * 2);
    progress.message("saved");
    EXPECT_EQ(out.str(), line + "\r\x1b[Ksaved\n");
    progress.update(10, {}, false);
  }
  EXPECT_TRUE(out.str().ends_with("\n"));
}

TEST(Progress, ANarrowTerminalHasNoBarAndAnOldOneNoBlocks) {
  std::ostringstream narrow, plain;
  Progress(narrow, {.columns = 20}, 0, 10).update(5, {{"loss", 0.5}}, true);
  EXPECT_TRUE(narrow.str().starts_with(" 50%  5/10  ")) << narrow.str();
  EXPECT_EQ(narrow.str().size(), 19u + 1);  // and the line break at the end
  Progress(plain, {.columns = 80, .blocks = false}, 0, 10).update(5, {}, true);
  EXPECT_TRUE(plain.str().starts_with("##########..........  50%  5/10")) << plain.str();
}

TEST(Progress, Texts) {
  EXPECT_EQ(duration_text(3.9), "0:03");
  EXPECT_EQ(duration_text(62), "1:02");
  EXPECT_EQ(duration_text(3723), "1:02:03");
  EXPECT_EQ(bar_text(0, 3), "   ");
  EXPECT_EQ(bar_text(0.5, 3), "█▌ ");
  EXPECT_EQ(bar_text(1, 3), "███");
  EXPECT_EQ(bar_text(0.5, 4, false), "##..");
}

}  // namespace
}  // namespace mini::train
