# The instruction sets that the CPU's kernels, ops/cpu/*.cpp, are compiled for. A program chooses among
# them when it starts (tensor/isa.h). MINI_ISAS is a list of
#   plain    what every processor executes: on x86-64 SSE2
#   avx2     x86-64 with AVX2 and fused multiply-adds
#   avx512   x86-64 with AVX-512 F, CD, BW, DQ and VL
# or
#   native   the best of them that this machine executes, which takes the least time to build
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set(MINI_ISAS plain avx2 avx512 CACHE STRING "Instruction sets of the CPU's kernels")
else()
  set(MINI_ISAS plain CACHE STRING "Instruction sets of the CPU's kernels")
endif()

# tensor/isa.cpp asks the processor for the same extensions. The plain kernels need to be right rather
# than fast; -O2 compiles them in half the time.
set(mini_isa_flags_plain $<$<CONFIG:Release>:-O2>)
set(mini_isa_flags_avx2 -mavx2 -mfma -mbmi -mbmi2)
set(mini_isa_flags_avx512 ${mini_isa_flags_avx2} -mavx512f -mavx512cd -mavx512bw -mavx512dq -mavx512vl)

# What this machine executes, according to the compiler: for `native`, and to know which sets can be
# tested here.
set(mini_native_isas plain)
if(NOT CMAKE_CROSSCOMPILING)
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} -march=native -dM -E -x c++ /dev/null
                  OUTPUT_VARIABLE macros ERROR_QUIET)
  if(macros MATCHES "__AVX2__" AND macros MATCHES "__FMA__" AND macros MATCHES "__BMI2__")
    list(APPEND mini_native_isas avx2)
    if(macros MATCHES "__AVX512VL__" AND macros MATCHES "__AVX512BW__" AND macros MATCHES "__AVX512DQ__")
      list(APPEND mini_native_isas avx512)
    endif()
  endif()
endif()

set(mini_isas ${MINI_ISAS})
if(MINI_ISAS STREQUAL native)
  list(GET mini_native_isas -1 mini_isas)
endif()
foreach(isa IN LISTS mini_isas)
  if(NOT isa MATCHES "^(plain|avx2|avx512)$")
    message(FATAL_ERROR "MINI_ISAS=${MINI_ISAS}: '${isa}' is none of plain, avx2, avx512, native.")
  endif()
  string(TOUPPER MINI_HAS_${isa} has)
  target_compile_definitions(mini_flags INTERFACE ${has})  # for tensor/backend.h
endforeach()
find_program(MINI_LD NAMES ld.bfd ld REQUIRED)
message(STATUS "Instruction sets: ${mini_isas}")

# mini_add_kernels(TARGET): adds the kernels to the library.
#
# The sets must be kept apart. A function of a header that the compiler does not inline, of std::vector
# for instance, is in every object that calls it, and the linker keeps one copy for the whole program.
# If that copy used AVX-512, so would code that has nothing to do with kernels. So `ld -r` joins the
# objects of a set into one, and `objcopy` hides every name in it outside the set's own namespace.
# tests/isa/symbols.sh checks the result. The plain kernels need none of this.
function(mini_add_kernels target)
  file(GLOB sources CONFIGURE_DEPENDS ops/cpu/*.cpp)
  foreach(isa IN LISTS mini_isas)
    set(kernels mini_kernels_${isa})
    add_library(${kernels} OBJECT ${sources})
    target_compile_features(${kernels} PRIVATE cxx_std_20)
    target_compile_definitions(${kernels} PRIVATE MINI_ISA=${isa})
    # objcopy cannot hide unique names. Clang warns where a loop marked as simd stays scalar, as some do
    # in the smaller sets.
    target_compile_options(${kernels} PRIVATE ${mini_isa_flags_${isa}}
                           $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>
                           $<$<CXX_COMPILER_ID:Clang>:-Wno-pass-failed>)
    target_include_directories(${kernels} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${kernels} PRIVATE mini_flags Threads::Threads)
    set_target_properties(${kernels} PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)
    if(MINI_PCH)
      target_precompile_headers(${kernels} PRIVATE ${mini_headers})
    endif()
    set(objects "$<FILTER:$<TARGET_OBJECTS:${kernels}>,INCLUDE,[.]o$>")  # not the precompiled headers
    if(isa STREQUAL plain)
      target_sources(${target} PRIVATE ${objects})
      continue()
    endif()
    string(LENGTH ${isa} length)  # in objects mini::cpu::avx2 is spelled _ZN4mini3cpu4avx2
    set(joined ${CMAKE_CURRENT_BINARY_DIR}/${kernels}_joined.o)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${kernels}.o)
    add_custom_command(OUTPUT ${object}
      COMMAND ${MINI_LD} -r --force-group-allocation -o ${joined} ${objects}
      COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=_ZN4mini3cpu${length}${isa}*
              ${joined} ${object}
      DEPENDS ${objects}
      COMMENT "Joining the kernels of ${isa}" COMMAND_EXPAND_LISTS VERBATIM)
    target_sources(${target} PRIVATE ${object})
    set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  endforeach()
endfunction()
