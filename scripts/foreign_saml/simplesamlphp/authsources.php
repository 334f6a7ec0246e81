<?php
$scene = json_decode(file_get_contents(getenv('SCENE')), true);
$config = ['anna' => ['exampleauth:StaticSource', 'uid' => [$scene['name_id']]] + $scene['claims']];
