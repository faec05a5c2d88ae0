// RDN against the official implementation: outputs and all gradients.
#include "models/upscale/rdn.h"

#include "tests/golden/group.h"

namespace mini {
namespace {

using test::GoldenGroup;
using GoldenRdn = test::GoldenTest;

TEST_P(GoldenRdn, MatchesTheOfficialImplementation) {
  Generator generator{1};
  for (const std::int64_t scale : {2, 3, 4}) {
    const GoldenGroup golden("rdn", concat_text("p", scale), GetParam());
    models::Rdn net({.scale = scale,
                     .blocks = golden.number("D"),
                     .layers = golden.number("C"),
                     .growth = golden.number("G"),
                     .features = golden.number("G0")},
                    generator);
    golden.prepare(net);
    golden.check(net, test::in_range(net, 255));
  }
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenRdn, test::golden_types(), test::golden_type_name);

}  // namespace
}  // namespace mini
