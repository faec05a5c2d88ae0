// SRCNN against the official implementation: outputs and all gradients.
#include "models/upscale/srcnn.h"

#include "tests/golden/group.h"

namespace mini {
namespace {

using test::GoldenGroup;
using GoldenSrcnn = test::GoldenTest;

TEST_P(GoldenSrcnn, MatchesTheOfficialImplementation) {
  Generator generator{1};
  using Border = models::SrcnnOptions::Border;
  const std::pair<const char*, Border> borders[] = {
      {"zero", Border::zero}, {"replicate", Border::replicate}, {"valid", Border::none}};
  for (const std::int64_t middle : {1, 3, 5})
    for (const auto& [name, border] : borders) {
      const GoldenGroup golden("srcnn", concat_text("k9", middle, "5.", name), GetParam());
      models::Srcnn net({.kernel1 = 9, .kernel2 = middle, .kernel3 = 5, .border = border},
                        generator);
      golden.prepare(net);
      golden.check(
          net, [&](const Tensor& x) { return net.restore(x); }, {}, "k915.zero");
    }
  const GoldenGroup golden("srcnn", "k955rgb.zero", GetParam());
  models::Srcnn net({.channels = 3, .border = Border::zero}, generator);
  golden.prepare(net);
  golden.check(net, [&](const Tensor& x) { return net.restore(x); });
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenSrcnn, test::golden_types(), test::golden_type_name);

}  // namespace
}  // namespace mini
