<?php
// SimpleSAMLphp as an identity provider on loopback, for one recording: everybody is Anna, and nothing is kept.
$scene = json_decode(file_get_contents(getenv('SCENE')), true);
$config = [
    'baseurlpath' => getenv('BASE_URL'),
    'certdir' => getenv('WORK') . '/',
    'tempdir' => getenv('WORK') . '/tmp',
    'datadir' => getenv('WORK') . '/data/',
    'loggingdir' => getenv('WORK') . '/',
    'logging.handler' => 'file',
    'logging.logfile' => 'log',
    'secretsalt' => 'recording',
    'auth.adminpassword' => 'recording',
    'timezone' => 'UTC',
    'enable.saml20-idp' => true,
    'module.enable' => ['exampleauth' => true, 'saml' => true, 'core' => true],
    'store.type' => 'phpsession',
    'session.phpsession.savepath' => getenv('WORK') . '/tmp',
    'metadata.sources' => [['type' => 'flatfile', 'directory' => getenv('METADATA')]],
    'template.cache' => '',
    'language.default' => 'en',
];
