#include "train/dataset.h"

#include <cmath>
#include <fstream>
#include <set>

#include "autograd/functions.h"
#include "io/image.h"
#include "tensor/parallel.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini::train {
namespace {

// An image whose pixels encode their position: red = number of the image, green = x, blue = y.
Tensor map_image(int number, std::int64_t height, std::int64_t width) {
  Tensor image = Tensor::empty({height, width, 3}, DType::uint8);
  std::uint8_t* pixel = image.data<std::uint8_t>();
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x, pixel += 3) {
      pixel[0] = static_cast<std::uint8_t>(number);
      pixel[1] = static_cast<std::uint8_t>(x);
      pixel[2] = static_cast<std::uint8_t>(y);
    }
  return image;
}

class DataTest : public testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 5; ++i)
      io::write_image(folder_.path() / ("image" + std::to_string(i) + ".png"),
                      map_image(i, 20 + i, 25));
  }
  DataOptions options() const {
    return {.folders = {folder_.path()}, .scale = 2, .patch = 12, .batch = 3, .workers = 0};
  }
  void write(const std::string& name, const std::string& content) const {
    std::ofstream(folder_.path() / name) << content;
  }

  test::TemporaryFolder folder_;
};

// The 8-bit value at [n,c,y,x] of a batch.
int value(const Tensor& hr, std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) {
  return static_cast<int>(
      std::lround(255 * hr.data<float>()[((n * 3 + c) * hr.size(2) + y) * hr.size(3) + x]));
}

TEST_F(DataTest, EveryEpochVisitsEveryImageOnce) {
  BatchLoader loader(options(), 7, 0);
  std::vector<int> seen;
  for (int k = 0; k < 5; ++k) {
    const Batch batch = loader.next();
    for (std::int64_t n = 0; n < 3; ++n) seen.push_back(value(batch.hr, n, 0, 0, 0));
  }
  std::set<std::vector<int>> orders;
  for (int epoch = 0; epoch < 3; ++epoch) {
    const std::vector<int> order(seen.begin() + 5 * epoch, seen.begin() + 5 * epoch + 5);
    EXPECT_EQ(std::set<int>(order.begin(), order.end()).size(), 5u);
    orders.insert(order);
  }
  EXPECT_GT(orders.size(), 1u) << "every epoch has the same order";
}

TEST_F(DataTest, PatchesAreCropsInAllEightPositions) {
  BatchLoader loader(options(), 7, 0);
  std::set<std::vector<int>> positions;
  for (int k = 0; k < 40; ++k) {
    const Tensor hr = loader.next().hr;
    for (std::int64_t n = 0; n < 3; ++n) {
      // How the source position changes along x and y of the patch.
      const int xx = value(hr, n, 1, 0, 1) - value(hr, n, 1, 0, 0);
      const int xy = value(hr, n, 2, 0, 1) - value(hr, n, 2, 0, 0);
      const int yx = value(hr, n, 1, 1, 0) - value(hr, n, 1, 0, 0);
      const int yy = value(hr, n, 2, 1, 0) - value(hr, n, 2, 0, 0);
      positions.insert({xx, xy, yx, yy});
      for (std::int64_t y = 0; y < 12; ++y)
        for (std::int64_t x = 0; x < 12; ++x) {
          const int dx = static_cast<int>(x), dy = static_cast<int>(y);
          ASSERT_EQ(value(hr, n, 1, y, x), value(hr, n, 1, 0, 0) + dx * xx + dy * yx);
          ASSERT_EQ(value(hr, n, 2, y, x), value(hr, n, 2, 0, 0) + dx * xy + dy * yy);
        }
    }
  }
  EXPECT_EQ(positions.size(), 8u);
}

TEST_F(DataTest, SwitchesTurnTheMirroringOff) {
  DataOptions plain = options();
  plain.flip = plain.transpose = false;
  BatchLoader loader(plain, 7, 0);
  for (int k = 0; k < 5; ++k) {
    const Tensor hr = loader.next().hr;
    EXPECT_EQ(value(hr, 0, 1, 0, 1) - value(hr, 0, 1, 0, 0), 1);
    EXPECT_EQ(value(hr, 0, 2, 1, 0) - value(hr, 0, 2, 0, 0), 1);
  }
}

TEST_F(DataTest, BatchesDependOnSeedAndNumberAlone) {
  const auto collect = [&](int workers, std::int64_t first, std::int64_t cache_mb) {
    DataOptions with = options();
    with.workers = workers;
    with.cache_mb = cache_mb;
    BatchLoader loader(with, 7, first);
    std::vector<Batch> batches;
    for (std::int64_t k = first; k < 9; ++k) batches.push_back(loader.next());
    return batches;
  };
  const auto expected = collect(0, 0, 64);
  for (const auto& batches : {collect(1, 0, 64), collect(3, 0, 0), collect(2, 4, 64)}) {
    const std::size_t skip = expected.size() - batches.size();
    for (std::size_t k = 0; k < batches.size(); ++k) {
      EXPECT_TRUE(test::equal_bits(batches[k].hr, expected[k + skip].hr));
      EXPECT_TRUE(test::equal_bits(batches[k].lr_reference, expected[k + skip].lr_reference));
    }
  }
  EXPECT_FALSE(test::equal_bits(BatchLoader(options(), 8, 0).next().hr, expected[0].hr));
}

TEST_F(DataTest, TheReferenceIsTheBicubicLr) {
  const Batch batch = BatchLoader(options(), 7, 0).next();
  EXPECT_EQ(batch.lr_reference.shape(), (Shape{3, 3, 6, 6}));
  EXPECT_TRUE(test::equal_bits(batch.lr_reference, resize_bicubic(batch.hr, 0.5)));
}

TEST_F(DataTest, LeavesOutABrokenImageByItsName) {
  write("broken.png", "this is no image");
  write("empty.jpg", "");
  const BatchLoader loader(options(), 7, 0);
  EXPECT_EQ(loader.image_count(), 5);
  ASSERT_EQ(loader.skipped().size(), 2u);
  EXPECT_EQ(loader.skipped()[0], "read_image: " + (folder_.path() / "broken.png").string() +
                                     ": decode: the file is no image: it begins with "
                                     "'this is no image'");
  EXPECT_NE(loader.skipped()[1].find("empty.jpg: decode: the file is empty"), std::string::npos);
  EXPECT_TRUE(loader.notices().empty());
}

TEST_F(DataTest, TellsTheOdditiesOfWhatItUses) {
  const io::Bytes whole = io::read_file(folder_.path() / "image0.png");
  io::write_file_atomically(folder_.path() / "image0.png",
                            std::span(whole).first(whole.size() - 12));
  const BatchLoader loader(options(), 7, 0);
  EXPECT_EQ(loader.image_count(), 5);
  EXPECT_EQ(loader.notices(),
            (std::vector<std::string>{(folder_.path() / "image0.png").string() +
                                      ": the end mark is missing; all pixels are there"}));
}

TEST_F(DataTest, PassesOverWhatIsHidden) {
  write("._image0.png", "a resource fork");
  write(".thumbnail.jpg", "");
  std::filesystem::create_directories(folder_.path() / ".cache");
  write(".cache/a.png", "");
  const BatchLoader loader(options(), 7, 0);
  EXPECT_EQ(loader.image_count(), 5);
  EXPECT_TRUE(loader.skipped().empty());
}

TEST_F(DataTest, SkipsWhatIsTooSmallAndSaysSo) {
  write("notes.txt", "ignored silently");
  io::write_image(folder_.path() / "tiny.png", map_image(9, 11, 40));
  const BatchLoader loader(options(), 7, 0);
  EXPECT_EQ(loader.image_count(), 5);
  ASSERT_EQ(loader.skipped().size(), 1u);
  EXPECT_EQ(loader.skipped()[0], (folder_.path() / "tiny.png").string() +
                                     ": 40x11 pixels, at least 12 a side are needed");
}

TEST_F(DataTest, RefusesWhatLeavesNothingToTrainOn) {
  const auto error_with = [&](const auto& change) {
    DataOptions bad = options();
    change(bad);
    return test::error_of([&] { BatchLoader(bad, 7, 0); });
  };
  const test::TemporaryFolder empty;
  EXPECT_EQ(error_with([&](DataOptions& o) { o.folders = {empty.path()}; }),
            "data: " + empty.path().string() +
                " holds no images (looked for .jpg, .png, .webp and others, in subfolders too)");
  EXPECT_EQ(error_with([&](DataOptions& o) { o.folders = {"/no/such/folder"}; }),
            "data: /no/such/folder does not exist");
  EXPECT_EQ(error_with([](DataOptions& o) { o.folders = {}; }),
            "data: no folder of images was given");
  EXPECT_EQ(error_with([](DataOptions& o) { o.patch = 13; }),
            "data: patch 13 must be a positive multiple of the scale 2");
  const std::string error = error_with([](DataOptions& o) { o.patch = 40; });
  const test::TemporaryFolder broken;
  std::ofstream(broken.path() / "a.png") << "text";
  EXPECT_NE(error_with([&](DataOptions& o) {
              o.folders = {broken.path()};
            }).find("none of 1 images can be used; read_image: "),
            std::string::npos);
  EXPECT_EQ(error, "data: none of 5 images can be used; " +
                       (folder_.path() / "image0.png").string() +
                       ": 25x20 pixels, at least 40 a side are needed");
}

TEST_F(DataTest, AnImageThatDisappearsIsAnErrorOfItsBatch) {
  DataOptions uncached = options();
  uncached.workers = 2;
  uncached.cache_mb = 0;
  uncached.batch = 5;
  BatchLoader loader(uncached, 7, 0);
  std::filesystem::remove(folder_.path() / "image3.png");
  const std::string error = test::error_of([&] {
    for (int k = 0; k < 6; ++k) loader.next();  // some were made before the file was removed
  });
  EXPECT_NE(error.find("image3.png"), std::string::npos);
}

}  // namespace
}  // namespace mini::train
