# How this project's own programs are compiled; nothing here reaches a user of the library.
if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
  endif()
  find_program(CCACHE_PROGRAM ccache)
  mark_as_advanced(CCACHE_PROGRAM)
  if(CCACHE_PROGRAM)
    foreach(language CXX CUDA)
      if(NOT DEFINED CMAKE_${language}_COMPILER_LAUNCHER)
        set(CMAKE_${language}_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
      endif()
    endforeach()
  endif()
endif()

set(CMAKE_CXX_EXTENSIONS OFF)

add_library(batchmate_development INTERFACE)
target_link_libraries(batchmate_development INTERFACE batchmate::batchmate)
target_compile_options(batchmate_development INTERFACE
  # Results must not depend on whether a compiler fuses a multiplication and an addition.
  $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion>
  $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wno-sign-conversion>
  # g++ looks for memory to free only once a source needs a gigabyte: a tenth of the time that most tests take.
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:--param=ggc-min-heapsize=1000000>
  # -Wno-unknown-pragmas: the unrolling that nvcc understands is unknown to the host compiler behind it.
  $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-Wno-unknown-pragmas,-ffp-contract=off>)
if(BATCHMATE_WARNINGS_AS_ERRORS)
  target_compile_options(batchmate_development INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>
                                                         $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Werror -Werror=all-warnings>)
endif()
if(BATCHMATE_NATIVE)
  target_compile_options(batchmate_development INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-march=native>)
endif()
if(BATCHMATE_SANITIZE)
  target_compile_options(batchmate_development INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${BATCHMATE_SANITIZE}
                                                         -fno-sanitize-recover=all -fno-omit-frame-pointer>
    # With them, g++ 12 cannot tell that std::optional guards its value, nor how long a std::string is,
    # which it calls a write past the bounds of an array, too.
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized -Wno-restrict -Wno-array-bounds
                                          -Wno-stringop-overflow>)
  target_link_options(batchmate_development INTERFACE -fsanitize=${BATCHMATE_SANITIZE})
endif()

# The cudnn evaluator for programs that choose theirs at run time: the only part of them that nvcc compiles.
if(BATCHMATE_CUDA)
  add_library(batchmate_tool_cudnn STATIC ${PROJECT_SOURCE_DIR}/examples/common/cudnn.cu)
  target_include_directories(batchmate_tool_cudnn PUBLIC ${PROJECT_SOURCE_DIR}/examples)
  target_link_libraries(batchmate_tool_cudnn PRIVATE batchmate_development PUBLIC batchmate::cuda)
  set_target_properties(batchmate_tool_cudnn PROPERTIES EXCLUDE_FROM_ALL TRUE)
  add_custom_target(cuda_code DEPENDS batchmate_tool_cudnn) # all that depends on CUDA and little else
endif()

# Links a program with every evaluator that was found and tells it which by BATCHMATE_WITH_ONEDNN and _CUDA, 1 or 0.
function(batchmate_link_evaluators target)
  foreach(evaluator onednn cuda)
    string(TOUPPER ${evaluator} name)
    if(TARGET batchmate::${evaluator} AND (BATCHMATE_CUDA OR NOT evaluator STREQUAL cuda))
      target_link_libraries(${target} PRIVATE batchmate::${evaluator})
      if(evaluator STREQUAL cuda)
        target_link_libraries(${target} PRIVATE batchmate_tool_cudnn)
      endif()
      target_compile_definitions(${target} PRIVATE BATCHMATE_WITH_${name}=1)
    else()
      target_compile_definitions(${target} PRIVATE BATCHMATE_WITH_${name}=0)
    endif()
  endforeach()
endfunction()
