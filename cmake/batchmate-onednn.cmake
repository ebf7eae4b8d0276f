# Defines batchmate::onednn, for <batchmate/onednn.hpp>, if oneDNN is found; otherwise says what is missing in
# batchmate_onednn_missing. Also part of the installed package.
#
# The library is looked up by its files: Debian's dnnl-config.cmake stops the whole configuration where the OpenCL
# headers are missing, which nothing here needs.
if(TARGET batchmate::onednn)
  return()
endif()

find_path(DNNL_INCLUDE_DIR dnnl.hpp)
find_library(DNNL_LIBRARY dnnl)
mark_as_advanced(DNNL_INCLUDE_DIR DNNL_LIBRARY)
if(NOT DNNL_INCLUDE_DIR OR NOT DNNL_LIBRARY)
  set(batchmate_onednn_missing "oneDNN (Debian's libdnnl-dev)")
  return()
endif()
find_package(OpenMP QUIET COMPONENTS CXX)

add_library(batchmate_onednn INTERFACE)
add_library(batchmate::onednn ALIAS batchmate_onednn)
target_include_directories(batchmate_onednn SYSTEM INTERFACE ${DNNL_INCLUDE_DIR})
target_link_libraries(batchmate_onednn INTERFACE batchmate::batchmate ${DNNL_LIBRARY}
                                                 $<TARGET_NAME_IF_EXISTS:OpenMP::OpenMP_CXX>)
