// The page and the curves: complete, self-contained, and safe from what files are called.
#include "infer/report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "infer/metrics.h"
#include "infer/picture.h"
#include "infer/plot.h"
#include "tensor/random.h"
#include "tests/support/networks.h"
#include "tests/support/support.h"

namespace mini::infer {
namespace {
namespace fs = std::filesystem;

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

class ReportTest : public testing::Test {
 protected:
  void SetUp() override {
    Generator generator{1, 0};
    for (const std::string& name : {std::string("a.png"), std::string("b & <i>.png")})
      io::write_image(folder_.path() / name,
                      infer::enlarge(io::to_image(ops::uniform(generator, {1, 3, 14, 17})), 4));
  }
  Report report() const {
    Generator generator{5};
    const auto network = test::make_network("sain", {.growth = 8}, generator);
    return make_report(*network_scaler(*network), {folder_.path()},
                       {.qualities = {30, 90}, .side = 40});
  }
  test::TemporaryFolder folder_;
};

TEST_F(ReportTest, MeasuresWholeImagesAndShowsTheirMiddle) {
  const Report all = report();
  ASSERT_EQ(all.images.size(), 2u);
  const ReportImage& image = all.images.front();
  EXPECT_EQ(image.width, 68);
  EXPECT_EQ(image.original.shape(), (Shape{40, 40, 3}));
  ASSERT_EQ(image.trips.size(), 2u);
  EXPECT_EQ(image.trips[1].setting, "jpeg 90");
  const ReportTrip& trip = image.trips[1];
  ASSERT_GE(trip.entries.size(), 3u);
  EXPECT_EQ(trip.entries[0].method, "sain");
  EXPECT_EQ(trip.entries[1].method, "bicubic");
  const Tensor original = io::read_image(folder_.path() / "a.png");
  const RoundTrip bicubic = round_trip(*bicubic_scaler(2), original, io::ImageFormat::jpeg, 90);
  EXPECT_EQ(trip.entries[1].bytes, bicubic.file.size());
  EXPECT_EQ(trip.entries[1].psnr_y, psnr(original, bicubic.hr, Colour::y, 2));
  EXPECT_DOUBLE_EQ(trip.entries[1].bits_per_lr_pixel, 4 * trip.entries[1].bits_per_hr_pixel);
  EXPECT_TRUE(test::equal_bits(trip.entries[1].image, crop_middle(bicubic.hr, 40, 2)));
  // The codec alone takes no more bytes than the network's file.
  for (std::size_t i = 2; i < trip.entries.size(); ++i) {
    EXPECT_LE(trip.entries[i].bytes, trip.entries[0].bytes) << trip.entries[i].method;
    EXPECT_GT(trip.entries[i].bytes, 0u);
  }
}

TEST_F(ReportTest, ThePageNeedsNothingElse) {
  const std::string page = to_html(report());
  // No address but the name of SVG's vocabulary.
  EXPECT_EQ(count(page, "http://") + count(page, "https://"),
            count(page, "http://www.w3.org/2000/svg"));
  EXPECT_EQ(count(page, "@title@") + count(page, "@curves@") + count(page, "@data@"), 0u);
  EXPECT_EQ(count(page, "<script"), 2u);
  EXPECT_EQ(count(page, "</script>"), 2u) << "a name ends a script early";
  EXPECT_EQ(page.find("<i>"), std::string::npos);
  const std::string begin = "id=\"data\">";
  const std::size_t at = page.find(begin) + begin.size();
  const auto json = nlohmann::json::parse(page.substr(at, page.find("</script>", at) - at));
  ASSERT_EQ(json.size(), 2u);
  EXPECT_EQ(json[1]["name"], "b & <i>.png");
  EXPECT_EQ(json[0]["trips"].size(), 2u);
  for (const auto& entry : json[0]["trips"][0]["entries"])
    for (const char* picture : {"image", "crop", "error"})
      EXPECT_TRUE(entry[picture].get<std::string>().starts_with("data:image/webp;base64,"));
}

TEST(Plot, DrawsEveryCurveWithoutWhatIsNotFinite) {
  const Plot plot{
      "a < b", "x", "y", {{"one", {{0.1, 30}, {0.2, 33}, {0.3, INFINITY}}}, {"two", {}}}};
  const std::string svg = to_svg(plot);
  EXPECT_EQ(count(svg, "<path"), 1u);
  EXPECT_EQ(count(svg, "<circle"), 2u + 2u) << "two points and two marks of the legend";
  EXPECT_EQ(svg.find("inf"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_NE(svg.find("a &lt; b"), std::string::npos);
  EXPECT_NE(to_svg({"empty", "x", "y", {}}).find("</svg>"), std::string::npos);
  EXPECT_THROW(to_svg({"many", "x", "y", std::vector<Series>(9)}), Error);
}

}  // namespace
}  // namespace mini::infer
