// EDSR against the official implementation: outputs and all gradients.
#include "models/upscale/edsr.h"

#include "tests/golden/group.h"

namespace mini {
namespace {

using test::GoldenGroup;
using GoldenEdsr = test::GoldenTest;

TEST_P(GoldenEdsr, MatchesTheOfficialImplementation) {
  Generator generator{1};
  for (const std::int64_t scale : {2, 3, 4})
    for (const char form : {'p', 'b', 'c'}) {
      if ((form == 'b' && scale == 3) || (form == 'c' && scale != 4)) continue;
      const GoldenGroup golden("edsr", concat_text(form, scale), GetParam());
      const double range = form == 'c' ? 1 : 255;
      models::Edsr net({.scale = scale,
                        .blocks = golden.number("n_resblocks"),
                        .features = golden.number("n_feats"),
                        .residual_scale = golden.real("res_scale"),
                        .range = range},
                       generator);
      net.to(DType::float64);
      test::set_exact_means(net, range);
      const nn::KeyTable table = models::Edsr::basicsr_keys(golden.number("n_resblocks"));
      const auto spelling = [&](const std::string& name) {
        return form == 'b' ? table.to_theirs(name) : name;
      };
      golden.prepare(net, spelling);
      golden.check(net, test::in_range(net, form == 'p' ? 255 : 1), spelling);
    }
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenEdsr, test::golden_types(), test::golden_type_name);

}  // namespace
}  // namespace mini
