# What `cmake --install` puts where, and the Debian package CPack makes of it.
include(GNUInstallDirs)
install(TARGETS tws RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES docs/man/tws.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES docs/man/tws.yaml.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES example/server.yaml example/client.yaml example/keys.yaml
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
