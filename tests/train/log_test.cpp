// The log in JSON lines, and the progress line.
#include "train/log.h"

#include <cmath>
#include <sstream>

#include "io/file.h"
#include "tests/support/support.h"
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
  Progress progress(out, 0, 0, 100);
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
    Progress progress(out, 60, 0, 10);
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

TEST(Progress, Texts) {
  EXPECT_EQ(duration_text(3.9), "0:03");
  EXPECT_EQ(duration_text(62), "1:02");
  EXPECT_EQ(duration_text(3723), "1:02:03");
  EXPECT_EQ(bar_text(0, 3), "   ");
  EXPECT_EQ(bar_text(0.5, 3), "█▌ ");
  EXPECT_EQ(bar_text(1, 3), "███");
}

}  // namespace
}  // namespace mini::train
